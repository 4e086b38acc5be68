-- skynet.queue runs functions one after another in the order of the calls, passing arguments and results, re-entrantly.
local skynet = require "skynet"
require "skynet.manager"
local queue = require "skynet.queue"

skynet.start(function()
  print(queue == skynet.queue, type(queue()))
  local lock = queue()
  print(lock(function(...) return select("#", ...), ... end, 1, nil, 3, nil))
  print(select("#", lock(function() end)))

  local left = 4
  for i = 1, 4 do
    skynet.fork(lock, function(name)
      print(name, "enters")
      skynet.sleep(5 - i)
      print(name, "leaves")
      left = left - 1
    end, "task " .. i)
  end
  repeat
    skynet.sleep(1)
  until left == 0

  print("re-entrant", lock(function()
    return lock(function()
      skynet.sleep(1)
      return lock(function() return "three deep" end)
    end)
  end))

  -- Another queue is another lock.
  local other = queue()
  skynet.fork(lock, function()
    skynet.sleep(10)
    print "holder of the first queue ends"
  end)
  skynet.yield()
  print(other(function() return "second queue is free" end))
  print(lock(function() return "first queue free again" end))
  skynet.abort()
end)
