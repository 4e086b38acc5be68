-- With trace_timeout on, a pending timer shows in skynet.task where and when it was made.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.trace_timeout(true)
  local thread = skynet.timeout(1000, function() end)
  skynet.trace_timeout(true)
  local tasks = {}
  skynet.task(tasks)
  local found = 0
  for _, text in pairs(tasks) do
    if text:match "^TIMER %d+%+1000 : " and text:match "trace_timeout%.lua:%d+" then
      found = found + 1
    end
  end
  print(type(thread), "timers found", found)

  local fired
  skynet.timeout(1, function() fired = true end)
  skynet.sleep(5)
  print("fired", fired)
  skynet.trace_timeout(false)
  skynet.timeout(1, function() print "still works when off" end)
  skynet.sleep(5)
  skynet.abort()
end)
