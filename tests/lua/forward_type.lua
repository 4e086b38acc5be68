-- skynet.forward_type translates type ids and leaves mapped messages unfreed, so that they can be passed on.
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol { name = "outside", id = 91, pack = skynet.pack, unpack = skynet.unpack }

skynet.start(function()
  local peer = skynet.newservice "peer"
  local forwarder = skynet.newservice("forwarder", peer)
  print(skynet.call(forwarder, "outside", "echo", "through the forwarder", 1))
  print(skynet.call(forwarder, "lua", "echo"))
  local failed = pcall(skynet.call, forwarder, "outside", "raise", "x")
  print("error passes", failed)
  skynet.send(forwarder, "outside", "note", "a")
  skynet.send(forwarder, "outside", "note", "b")
  print(skynet.call(forwarder, "outside", "seen"))
  print("debug", select("#", skynet.call(forwarder, "debug", "PING")))
  skynet.abort()
end)
