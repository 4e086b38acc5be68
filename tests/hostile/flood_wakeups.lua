-- A sleeper is woken over and over in one message.
-- expect: too many wakeups in one message
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local sleeper = skynet.fork(skynet.wait)
  skynet.sleep(0)
  while true do
    skynet.wakeup(sleeper)
  end
end)
