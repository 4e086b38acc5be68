-- The launcher's KILL takes ":hex", ends the service and answers with a table keyed by that address.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice("peer", "x")
  local killed = skynet.call(".launcher", "lua", "KILL", skynet.address(peer))
  print(type(killed[skynet.address(peer)]))
  print("alive", (pcall(skynet.call, peer, "lua", "echo")))
  print("listed", skynet.call(".launcher", "lua", "LIST")[skynet.address(peer)])
  skynet.abort()
end)
