-- Timers are set without end.
-- expect: too many timers: the limit is 100 (sandbox.toml: timers)
-- sandbox: timers = 100
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  while true do
    skynet.timeout(100000, print)
  end
end)
