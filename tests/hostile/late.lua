-- The metamethods of standard libraries that are opened late, called by the script itself.
-- expect: table expected, got number
-- expect: the libraries are whole
local skynet = require "skynet"

skynet.start(function()
  local made = getmetatable(utf8)
  assert(made, "utf8 is open already: nothing is tried here")
  local odd = { 5, false, "x", print, {}, setmetatable({}, made), io.stdout }
  for _ = 1, 2 do
    for _, event in pairs(made) do
      pcall(event)
      pcall(event, nil)
      for _, value in pairs(odd) do
        pcall(event, value)
        pcall(event, value, "x")
        pcall(event, value, 1, 2)
        pcall(event, value, nil, 2)
      end
    end
    assert(utf8.char(65) == "A" and math.floor(1.5) == 1 and os.time() > 0 and io.type(1) == nil)
  end
  assert(not pcall(os.execute, "true"))
  assert(not pcall(debug.getregistry))
  skynet.error "the libraries are whole"
  made.__index(5, 1)
end)
