-- Script after script is written and loaded, so that the cache fills.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local number = 0
  while true do
    number = number + 1
    local file = assert(io.open("flood.lua", "w"))
    file:write("return ", number)
    file:close()
    assert(loadfile "flood.lua")
  end
end)
