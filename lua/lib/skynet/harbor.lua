--- skynet.harbor: names that the whole network knows, and the comings and goings of its nodes.
---
--- Invariant: everything is asked of the service `.cslave`; nothing is remembered here.
--- Not here: cluster names (skynet/cluster.lua).

local skynet = require "skynet"

local harbor = {}

--- Gives a service a global name; the first owner keeps it.
---@param name string shorter than 16 bytes
---@param handle? integer this service without it
function harbor.globalname(name, handle)
  skynet.send(".cslave", "lua", "REGISTER", name, handle or skynet.self())
end

--- The owner of a name. **Yields** until a global one is known.
---@param name string ".x" for a name of this process
---@return integer|nil handle
function harbor.queryname(name)
  return skynet.call(".cslave", "lua", "QUERYNAME", name)
end

--- Returns when a node goes down, or at once when it is not up. **Yields.**
---@param id integer harbor id
function harbor.link(id)
  skynet.call(".cslave", "lua", "LINK", id)
end

--- Returns when a node is up. **Yields.**
---@param id integer harbor id
function harbor.connect(id)
  skynet.call(".cslave", "lua", "CONNECT", id)
end

--- Returns when the connection to the master is lost. **Yields.**
function harbor.linkmaster()
  skynet.call(".cslave", "lua", "LINKMASTER")
end

return harbor
