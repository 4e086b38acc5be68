-- skynet.sleep gives nothing when its time is over and "BREAK" when woken; wakeup tells whether anybody was asleep.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  print("slept", select("#", skynet.sleep(1)))
  print("slept 0", select("#", skynet.sleep(0)))

  local sleeper = skynet.fork(function()
    local begin = skynet.now()
    print("woken", skynet.sleep(1000))
    print("early", skynet.now() - begin < 900)
    -- The second wakeup was queued before the first took effect: it ends the next sleep.
    print("next sleep", skynet.sleep(1000))
    print("sleep after that", select("#", skynet.sleep(2)))
  end)
  print("not asleep yet", skynet.wakeup(sleeper))
  skynet.yield()
  print("asleep", skynet.wakeup(sleeper))
  print("twice in a row", skynet.wakeup(sleeper))
  print "wakeup does not resume at once"
  skynet.sleep(10)

  print("asleep no more", skynet.wakeup(sleeper))
  print("never a sleeper", skynet.wakeup(coroutine.create(print)))
  print("no token", skynet.wakeup "nosuch")

  -- The late timer answer of a broken sleep does not end the sleep after it.
  local short = skynet.fork(function()
    print("short", skynet.sleep(10))
    local begin = skynet.now()
    skynet.sleep(20)
    print("full length", skynet.now() - begin >= 19)
  end)
  skynet.yield()
  skynet.wakeup(short)
  skynet.sleep(40)

  -- wakeup cannot interrupt a call.
  local peer = skynet.newservice "peer"
  local caller = skynet.fork(function()
    print("call", skynet.call(peer, "lua", "sleep", 5, "answered"))
  end)
  skynet.yield()
  print("wake a caller", skynet.wakeup(caller))
  skynet.sleep(10)

  -- A coroutine that runs does not sleep.
  print("self", skynet.wakeup(coroutine.running()))
  skynet.abort()
end)
