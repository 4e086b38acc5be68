-- Compiled code as a text, a function that reads it in parts, and a file.
-- expect: attempt to load a binary chunk (mode is 't')
-- expect: nothing got through
local skynet = require "skynet"

skynet.start(function()
  local code = string.dump(function() return "has escaped" end)
  local function reader()
    local parts = { code:sub(1, 1), code:sub(2) }
    return function() return table.remove(parts, 1) end
  end
  local function refuses(f, why)
    assert(not f, "has escaped")
    assert(tostring(why):find "attempt to load a binary chunk", why)
  end
  refuses(load(code))
  refuses(load(code, "x", "b"))
  refuses(load(code, "x", "bt"))
  refuses(load(code, "x", "b\0t"))
  refuses(load(reader(), "x", "b"))
  refuses(load(reader()))
  refuses(load(reader(), "x", "bt", {}))
  local file = assert(io.open("code.lua", "wb"))
  file:write(code)
  file:close()
  refuses(loadfile "code.lua")
  refuses(loadfile("code.lua", "b"))
  local ok, why = pcall(dofile, "code.lua")
  refuses(ok, why)
  skynet.error "nothing got through"
  error(select(2, load(code)), 0)
end)
