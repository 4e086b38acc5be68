-- skynet.yield lets every other runnable coroutine and queued message go first, so coroutines alternate in order.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local line = {}
  local running = 3
  for _, name in ipairs { "a", "b", "c" } do
    skynet.fork(function()
      for i = 1, 4 do
        line[#line + 1] = name .. i
        print(select("#", skynet.yield()))
      end
      running = running - 1
    end)
  end
  repeat
    skynet.yield()
  until running == 0
  print(table.concat(line, " "))

  skynet.dispatch("lua", function(_, _, n)
    print("message", n)
  end)
  skynet.send(skynet.self(), "lua", 1)
  skynet.yield()
  print "after one"
  skynet.abort()
end)
