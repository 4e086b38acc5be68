-- timeout(0) goes behind messages already queued, while a fork runs before them.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("lua", function(_, _, name)
    print("message", name)
  end)

  skynet.send(self, "lua", "sent before the timeout")
  local thread = skynet.timeout(0, function() print "timeout 0" end)
  print(type(thread), coroutine.status(thread))
  skynet.timeout(-1, function() print "timeout -1" end)
  skynet.send(self, "lua", "sent after the timeout")
  skynet.fork(function() print "fork" end)
  print "start gives way"
  -- sleep(0) queues like timeout(0), so all of the above comes first.
  skynet.sleep(0)
  print "start resumes"
  skynet.abort()
end)
