-- Sessions count up by one per service over calls, timers, waits and genid; a send has session 0.
local skynet = require "skynet"
require "skynet.manager"

local seen = {}

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("lua", function(session)
    seen[#seen + 1] = session
    if session ~= 0 then
      skynet.ret()
    end
  end)

  local first = skynet.genid()
  print(math.type(first), first > 0)
  print("genid", skynet.genid() - first)
  skynet.call(self, "lua")
  print("call", seen[1] - first)
  skynet.sleep(0)
  print("sleep", skynet.genid() - first)
  skynet.timeout(0, function() end)
  print("timeout", skynet.genid() - first)
  skynet.fork(function() end)
  skynet.send(self, "lua")
  print("fork and send", skynet.genid() - first)

  local waiter = skynet.fork(skynet.wait)
  skynet.yield()
  print("wait", skynet.genid() - first)
  print("task of the waiter", skynet.task(waiter) - first)
  skynet.wakeup(waiter)
  print("sent", seen[2])

  -- A call to a dead address takes a session too.
  pcall(skynet.call, 0xfffff0, "lua")
  print("failed call", skynet.genid() - first)
  skynet.abort()
end)
