--- `skynet.cluster`: services of other nodes.
---
--- Invariant: requests of one service to one node arrive in the order in which they were made.
--- Not here: the names of nodes and of this node's services (service/clusterd.lua), connections
--- (native).

local skynet = require "skynet"
local network = require "skynet.cluster.network"

local clusterd

---@class skynet.cluster
local cluster = {}

--- Calls a service of another node: its handle there, `".name"` or `"@name"`. **Yields.** Raises
--- `call failed` when the service there fails or the connection is lost.
---@type fun(node: string, address: string|integer, ...): ...
cluster.call = network.call

--- Sends to a service of another node.
---@type fun(node: string, address: string|integer, ...)
cluster.send = network.send

--- The handle behind a name registered on another node, without its `@`. **Yields.**
---@type fun(node: string, name: string): integer
cluster.query = network.query

--- Takes connections of other nodes at a port of every interface, or at the address that the
--- cluster file gives a name. Returns where. **Yields.**
---@param port integer|string
---@param maxclient integer? most connections at a time, 1024 by default
---@return string host
---@return integer port
function cluster.open(port, maxclient)
  if type(port) == "string" then
    return skynet.call(clusterd, "lua", "listen", port, nil, maxclient)
  end
  return skynet.call(clusterd, "lua", "listen", "0.0.0.0", port, maxclient)
end

--- Takes new addresses of nodes, from the cluster file without an argument. **Yields.**
---@param config table<string, string|false>?
function cluster.reload(config)
  skynet.call(clusterd, "lua", "reload", config)
end

--- A local service that stands for one of another node: `(node, address)`, or `"node@name"`.
--- **Yields.**
---@param node string
---@param name (string|integer)?
---@return integer address
function cluster.proxy(node, name)
  return skynet.call(clusterd, "lua", "proxy", node, name)
end

--- The snax service `name` of another node. **Yields.**
---@param node string
---@param name string
---@param address (string|integer)?
function cluster.snax(node, name, address)
  local snax = require "skynet.snax"
  if not address then
    address = cluster.call(node, ".service", "QUERY", "snaxd", name)
  end
  return snax.bind(skynet.call(clusterd, "lua", "proxy", node, address), name)
end

--- Lets other nodes call a service, this one by default, as `"@name"`. **Yields.**
---@param name string
---@param address integer?
function cluster.register(name, address)
  assert(type(name) == "string")
  assert(address == nil or type(address) == "number")
  return skynet.call(clusterd, "lua", "register", name, address)
end

--- Takes a name away. **Yields.**
---@param name string
function cluster.unregister(name)
  assert(type(name) == "string")
  return skynet.call(clusterd, "lua", "unregister", name)
end

--- The address of the service that carries requests to a node; nil when the node is down.
--- **Yields.**
---@param node string
---@return integer?
function cluster.get_sender(node)
  local ok, address = pcall(skynet.call, clusterd, "lua", "sender", node)
  if ok then
    return address
  end
  skynet.error(address)
  return nil
end

skynet.init(function()
  clusterd = skynet.uniqueservice "clusterd"
end)

return cluster
