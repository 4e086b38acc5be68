-- since: 1.4
-- skynet.killthread ends a coroutine that is queued, sleeps, waits or calls; a request it was handling fails.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  local peer = skynet.newservice "peer"

  local fork = skynet.fork(print, "a killed fork must not run")
  print("fork", skynet.killthread(fork) == fork)
  skynet.yield()

  local sleeper = skynet.fork(function()
    skynet.sleep(10)
    print "a killed sleeper must not wake"
  end)
  skynet.yield()
  print("sleeper", skynet.killthread(sleeper) == sleeper, coroutine.status(sleeper))

  local waiter = skynet.fork(function()
    skynet.wait "token"
    print "a killed waiter must not wake"
  end)
  skynet.yield()
  print("waiter", skynet.killthread(waiter) == waiter, skynet.wakeup "token")

  local caller = skynet.fork(function()
    skynet.call(peer, "lua", "sleep", 10)
    print "a killed caller must not go on"
  end)
  skynet.yield()
  print("caller", skynet.killthread(caller) == caller)

  -- The request handled by the killed coroutine is answered with an error.
  local handler
  skynet.dispatch("lua", function()
    handler = coroutine.running()
    skynet.wait()
  end)
  skynet.fork(function()
    print("request", (pcall(skynet.call, self, "lua")))
  end)
  skynet.sleep(5)
  print("handler", skynet.killthread(handler) == handler)
  skynet.sleep(20)

  -- By text: part of what tostring gives.
  local named = skynet.fork(skynet.wait)
  skynet.yield()
  print("by text", skynet.killthread(tostring(named)) == named)
  print("unknown", skynet.killthread(coroutine.create(print)), skynet.killthread "no such thread")
  print("dead", skynet.killthread(named))
  skynet.abort()
end)
