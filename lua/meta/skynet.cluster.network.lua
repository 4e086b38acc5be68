---@meta skynet.cluster.network
-- LuaLS annotations of the native module `skynet.cluster.network`, which is not for scripts
-- (`skynet.cluster` is).

---@class skynet.cluster.network
local network = {}

--- Calls a service of another node. **Yields.**
---@param node string
---@param address string|integer
---@return any ...
function network.call(node, address, ...) end

--- Takes connections of other nodes. **Yields.**
---@param address string
---@param most integer? connections at a time
---@return string? host
---@return integer|string port or the reason
function network.listen(address, most) end

--- What tells this node from others in traces.
---@return string
function network.nodename() end

--- The local service that stands for an address of another node.
---@param node string
---@param address string|integer
---@return integer
function network.proxy(node, address) end

--- The handle behind a name registered on another node. **Yields.**
---@param node string
---@param name string
---@return integer
function network.query(node, name) end

--- Lets other nodes call a service by a name; false when the name is another's.
---@param name string
---@param address integer
---@return boolean
function network.register(name, address) end

--- The service of this node with a name.
---@param name string
---@return integer?
function network.registered(name) end

--- Sends to a service of another node.
---@param node string
---@param address string|integer
function network.send(node, address, ...) end

--- The service that carries requests to a node.
---@param node string
---@return integer
function network.sender(node) end

--- Those services, by node.
---@return table<string, integer>
function network.senders() end

--- Whether this service finds out where nodes are: links that do not know send it `find`, name.
---@param on boolean
function network.set_finder(on) end

--- Says where a node is; false says that it is down.
---@param name string
---@param address string|false
function network.set_node(name, address) end

--- Whether calls to a node without an address fail at once.
---@param on boolean
function network.set_nowaiting(on) end

--- Takes a name away.
---@param name string
---@return integer? owner
function network.unregister(name) end

return network
