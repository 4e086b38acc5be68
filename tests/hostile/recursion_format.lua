-- The same through metamethods.
-- expect: C stack overflow
local skynet = require "skynet"

skynet.start(function()
  local object = setmetatable({}, {})
  getmetatable(object).__tostring = function() return ("%s"):format(object) end
  tostring(object)
end)
