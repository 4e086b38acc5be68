-- Names with a dot live in the node: the first registration wins silently, and a name dies with its service.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  local one, two = skynet.newservice "peer", skynet.newservice "peer"

  print("unknown", select("#", skynet.localname ".one"))
  skynet.name(".one", one)
  print("known", skynet.localname ".one" == one)
  skynet.name(".one", two)
  print("first wins", skynet.localname ".one" == one)
  skynet.name(".uno", one)
  print("second name", skynet.localname ".uno" == one, skynet.localname ".one" == one)

  skynet.register ".me"
  print("register", skynet.localname ".me" == self)
  skynet.name(".two", skynet.address(two))
  print("by :hex", skynet.localname ".two" == two)

  skynet.call(".one", "lua", "echo")
  print("through a name", skynet.call(".one", "lua", "call", ".two", "echo", "x"))

  skynet.kill(one)
  print("after death", skynet.localname ".one", skynet.localname ".uno")
  skynet.name(".one", two)
  print("free again", skynet.localname ".one" == two)

  print("case matters", skynet.localname ".ONE")
  print("no dot", skynet.localname "one")
  print("long", skynet.localname("." .. ("x"):rep(40)))
  skynet.name("." .. ("x"):rep(40), two)
  print("long", skynet.localname("." .. ("x"):rep(40)) == two)
  print("launcher", type(skynet.localname ".launcher"), "service", type(skynet.localname ".service"))
  skynet.abort()
end)
