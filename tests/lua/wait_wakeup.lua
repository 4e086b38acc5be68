-- Woken coroutines run in the order of the wakeup calls, one after another, once the waker gives way.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local waiters = {}
  for i = 1, 5 do
    waiters[i] = skynet.fork(function()
      print(i, "woken", select("#", skynet.wait()))
      skynet.fork(print, i, "fork")
    end)
  end
  skynet.yield()
  for _, i in ipairs { 3, 1, 5, 2, 4 } do
    print("wake", i, skynet.wakeup(waiters[i]))
  end
  print "waker gives way"
  skynet.yield()
  print "waker resumes"

  -- A woken coroutine that wakes another one appends to the queue.
  local second
  local first = skynet.fork(function()
    skynet.wait()
    print("first wakes second", skynet.wakeup(second))
    print "first ends"
  end)
  second = skynet.fork(function()
    skynet.wait()
    print "second ends"
  end)
  local third = skynet.fork(function()
    skynet.wait()
    print "third ends"
  end)
  skynet.yield()
  skynet.wakeup(first)
  skynet.wakeup(third)
  skynet.yield()
  skynet.abort()
end)
