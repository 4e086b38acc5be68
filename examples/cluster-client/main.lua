-- Calls services of another node in the three ways there are. Names are registered there by `cluster.register`.
local skynet = require "skynet"
require "skynet.manager"
local cluster = require "skynet.cluster"

local node = "my_server_on_cluster"

skynet.start(function()
  -- First: ask for the address behind a name (without `@`), then use the address.
  local server1 = cluster.query(node, "my_server1")
  print("query:", cluster.call(node, server1, "hello", "query"))
  cluster.send(node, server1, "note", "a send to the address from a query")

  -- Second: a local service that stands for the one there. From then on it is skynet.call and skynet.send.
  local proxy = cluster.proxy(node, "@my_server1")
  print("proxy of a name:", skynet.call(proxy, "lua", "hello", "proxy"))
  skynet.send(proxy, "lua", "note", "a send to the proxy of a name")
  local server2 = cluster.proxy(node, cluster.query(node, "my_server2"))
  print("proxy of an address:", skynet.call(server2, "lua", "greet", "proxy"))
  skynet.send(server2, "lua", "note", "a send to the proxy of an address")

  -- Third: the name itself, with `@`.
  print("name:", cluster.call(node, "@my_server2", "greet", "name"))
  cluster.send(node, "@my_server2", "note", "a send to a name")

  -- A send is not answered. Requests on one way keep their order, so once a call on each way has its answer, the sends
  -- before it are there.
  skynet.call(proxy, "lua", "hello", "the end")
  skynet.call(server2, "lua", "greet", "the end")
  print("done:", cluster.call(node, "@my_server1", "hello", "the end"))
  skynet.abort()
end)
