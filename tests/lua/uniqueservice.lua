-- uniqueservice starts a service once for the node: concurrent and later callers get the same address.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local addresses, left = {}, 3
  for i = 1, 3 do
    skynet.fork(function()
      addresses[i] = skynet.uniqueservice("counted", "first", i)
      left = left - 1
    end)
  end
  -- queryservice only waits for someone to start it.
  local queried
  skynet.fork(function()
    queried = skynet.queryservice "counted"
  end)
  repeat
    skynet.sleep(1)
  until left == 0 and queried
  print("one address", addresses[1] == addresses[2], addresses[2] == addresses[3], queried == addresses[1])
  print("later", skynet.uniqueservice "counted" == addresses[1], skynet.queryservice "counted" == addresses[1])
  print("number", math.type(addresses[1]), skynet.call(addresses[1], "lua", "works"))

  -- The global one is another instance, even on a single node.
  local global = skynet.uniqueservice(true, "counted", "global")
  print("global", global ~= addresses[1], skynet.uniqueservice(true, "counted") == global)
  print("query global", skynet.queryservice(true, "counted") == global)

  -- newservice knows nothing of it.
  print("new", skynet.newservice("counted", "new") ~= addresses[1])
  skynet.abort()
end)
