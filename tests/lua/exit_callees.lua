-- skynet.exit tells the services it was calling that nobody waits any more: response objects for it are discarded.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local holder = skynet.newservice "peer"
  local caller = skynet.newservice "peer"
  skynet.send(caller, "lua", "call", holder, "hold")
  skynet.send(caller, "lua", "call", holder, "hold")
  skynet.sleep(5)
  -- A third hold is of our own and survives.
  skynet.fork(function()
    print("ours", skynet.call(holder, "lua", "hold"))
    skynet.abort()
  end)
  skynet.sleep(5)
  print("before", skynet.call(holder, "lua", "release", "TEST"))
  skynet.send(caller, "lua", "exit")
  skynet.sleep(5)
  print("after", skynet.call(holder, "lua", "release", "TEST"))
  print("first", skynet.call(holder, "lua", "release", true))
  print("second", skynet.call(holder, "lua", "release", true))
  print("third", skynet.call(holder, "lua", "release", true, "answered"))
end)
