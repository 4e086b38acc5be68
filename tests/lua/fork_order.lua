-- Forks run in order once the running coroutine gives way, forks of forks behind them, all before the next message.
local skynet = require "skynet"
require "skynet.manager"

local function say(...)
  print(...)
end

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("lua", function(_, _, name)
    print("message", name)
    if name == "one" then
      skynet.fork(print, "fork of message one")
    end
  end)

  skynet.send(self, "lua", "one")
  skynet.send(self, "lua", "two")
  local first = skynet.fork(say, "first", nil, 3, nil)
  print(type(first), coroutine.status(first))
  skynet.fork(function()
    print "second"
    skynet.fork(print, "fork of second")
    print "second ends"
  end)
  skynet.fork(function()
    print "third waits"
    skynet.sleep(0)
    print "third resumes"
  end)
  skynet.fork(function(...)
    print("fourth", select("#", ...))
  end)
  print "start gives way"
  skynet.sleep(5)
  print "start resumes"

  -- Nothing forked runs while the forking coroutine only computes.
  local ran = false
  skynet.fork(function() ran = true end)
  for _ = 1, 100 do
    skynet.now()
  end
  print("before the yield", ran)
  skynet.yield()
  print("after the yield", ran)
  skynet.abort()
end)
