-- An endless loop in a debug hook.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  debug.sethook(function() while true do end end, "", 1)
  while true do end
end)
