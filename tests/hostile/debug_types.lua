-- Metatables and values of C code through debug.
-- expect: may not use debug.getregistry
-- expect: may not change the metatable of a userdata
-- expect: may not set upvalues of C functions
-- expect: may not set values of C functions or temporaries
-- expect: may not use debug.setuservalue
-- expect: may not use debug.debug
local skynet = require "skynet"

skynet.start(function()
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    skynet.error(ok and "has escaped" or why)
    assert(not ok)
  end
  try(debug.getregistry)
  try(debug.debug)
  try(debug.setmetatable, io.stdout, {})
  try(debug.setmetatable, skynet.unpack(string.pack("<I1I8", 3, 4096)), getmetatable(io.stdout))
  try(debug.setuservalue, io.stdout, {})
  local words = ("a b"):gmatch "%a"
  assert(not debug.getupvalue(words, 1))
  for index = 1, 3 do
    try(debug.setupvalue, words, index, 4096)
  end
  -- The table under construction, which the virtual machine does not look at again.
  local function replace()
    for index = 1, 20 do
      local name = debug.getlocal(2, index)
      if name == "(*temporary)" then
        debug.setlocal(2, index, 4096)
      end
    end
  end
  try(function() return { replace() } end)
  -- The buffer of a C function at work.
  try(string.gsub, ("x"):rep(10000), "x", function()
    for index = 1, 20 do
      assert(not debug.getlocal(2, index))
    end
    debug.setlocal(2, 3, 4096)
  end)
end)
