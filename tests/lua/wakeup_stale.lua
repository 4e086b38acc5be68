-- A wakeup whose sleeper is gone by then harms no other: everybody woken does run.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local first = skynet.fork(function()
    skynet.wait()
    print "first woken, ends"
  end)
  local second = skynet.fork(function()
    skynet.wait()
    print "second woken"
  end)
  skynet.yield()
  print(skynet.wakeup(first), skynet.wakeup(first), skynet.wakeup(second))
  skynet.sleep(5)
  skynet.sleep(5)
  print "both done"
  skynet.abort()
end)
