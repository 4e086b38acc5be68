-- An endless loop.
-- expect: message interrupted: it takes longer than its limit
-- expect: running for long:
local skynet = require "skynet"

skynet.start(function()
  while true do end
end)
