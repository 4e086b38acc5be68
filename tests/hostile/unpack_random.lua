-- Random and truncated bytes to unpack.
-- expect: Invalid serialize stream
-- expect: random bytes were survived
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  math.randomseed(1)
  local genuine = skynet.packstring({ 1, 2.5, "text", { x = { y = {} } } }, nil, true, ("s"):rep(300))
  for _ = 1, 5000 do
    local bytes = {}
    for index = 1, math.random(0, 40) do bytes[index] = string.char(math.random(0, 255)) end
    pcall(skynet.unpack, table.concat(bytes))
    local at = math.random(#genuine)
    pcall(skynet.unpack, genuine:sub(1, at))
    pcall(skynet.unpack, genuine:sub(1, at - 1) .. string.char(math.random(0, 255)) .. genuine:sub(at + 1))
  end
  -- Tables that claim to be huge, nested without end.
  pcall(skynet.unpack, ("\xfe\x22\xff\xff\xff\x7f"):rep(1000))
  pcall(skynet.unpack, ("\x0e"):rep(1000000))
  skynet.error "random bytes were survived"
  skynet.unpack "\x0e\x0e\x0e"
end)
