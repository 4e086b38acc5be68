-- skynet.stat and its shorthands tell queue length, messages handled, CPU seconds and the endless flag.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  print("endless", skynet.endless(), skynet.stat "endless")
  print("mqlen", skynet.mqlen(), skynet.stat "mqlen")
  skynet.dispatch("lua", function() end)
  for _ = 1, 5 do
    skynet.send(skynet.self(), "lua")
  end
  print("mqlen with five queued", skynet.mqlen(), skynet.stat "mqlen")
  local before = skynet.stat "message"
  skynet.sleep(0)
  print("messages", skynet.stat "message" - before, skynet.mqlen())
  print("cpu", math.type(skynet.stat "cpu"), skynet.stat "cpu" >= 0, "time", math.type(skynet.stat "time"))

  -- The CPU time of a message is added when it ends; `time` tells it while it runs.
  local cpu = skynet.stat "cpu"
  local stop = os.clock() + 0.05
  repeat until os.clock() > stop
  print("not yet", skynet.stat "cpu" == cpu, "so far", skynet.stat "time" > 0.01)
  skynet.yield()
  print("now", skynet.stat "cpu" > cpu + 0.01)
  print("unknown", skynet.stat "nosuch")
  skynet.abort()
end)
