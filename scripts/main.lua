-- The first service of the game: the config names it by `start`.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
  -- One instance of each per node; who asks again gets the same address.
  local server1 = skynet.uniqueservice("myserver1")
  local server2 = skynet.uniqueservice("myserver2")

  -- A call waits for the answer. Only this coroutine waits, not the thread.
  local hello = skynet.call(server1, "lua", "hello", "main")
  local greeting = skynet.call(server2, "lua", "greet", "main")

  -- `print` writes as it is, `skynet.error` writes a line of the log with the address of its service.
  print(hello)
  print(greeting)
  skynet.error("myserver1 " .. skynet.address(server1) .. " says: " .. hello)
  skynet.error("myserver2 " .. skynet.address(server2) .. " says: " .. greeting)

  -- Other nodes may call the two by these names: examples/cluster-client does. The file that the config names by
  -- `cluster` says where this node listens.
  cluster.register("my_server1", server1)
  cluster.register("my_server2", server2)
  cluster.open("my_server_on_cluster")

  -- A page for browsers, where the config names an address for it. skynet.getenv reads any key of the config.
  if skynet.getenv "web" then
    skynet.newservice("web")
  end

  -- Two games between which a player's gold moves over Redis, where there is one: see docs/bridge.md.
  if skynet.getenv "redis_address" then
    skynet.newservice("bridge_main")
    skynet.newservice("bridge_fishing")
  end

  -- Here the start function ends, and the service stays: it could take requests as its servers do.
end)
