-- LINK is answered only by the end of the service, EXIT ends it in good order, TERM gives up calls to an address.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer, other = skynet.newservice "peer", skynet.newservice "peer"

  local linked = true
  skynet.fork(function()
    print("LINK", (pcall(skynet.call, peer, "debug", "LINK")))
    linked = false
  end)
  skynet.sleep(5)
  print("linked", linked)

  skynet.fork(function()
    print("call through it", skynet.call(peer, "lua", "call", other, "hold") == false)
  end)
  skynet.sleep(5)
  print("TERM", skynet.send(peer, "debug", "TERM", other))
  skynet.sleep(5)

  print("linked", linked)
  skynet.send(peer, "debug", "EXIT")
  skynet.sleep(5)
  print("linked", linked)
  print("gone", select("#", skynet.send(peer, "debug", "PING")))
  skynet.abort()
end)
