-- A file of 8 GB that takes no space is loaded as a script.
-- expect: sparse.lua: File too large
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local file = assert(io.open("sparse.lua", "wb"))
  file:seek("set", 8 << 30)
  file:write "x"
  file:close()
  local _, why = loadfile "sparse.lua"
  os.remove "sparse.lua"
  error(why)
end)
