---@meta skynet.redis.cluster
-- LuaLS annotations of the native module `skynet.redis.cluster`, which is not for scripts
-- (`skynet.db.redis.cluster` is).

---@class skynet.redis.cluster
local network = {}

--- The slot of a key, 0 to 16383.
---@param key string|number
---@return integer
function network.keyslot(key) end

--- The slot of a command, and whether it changes nothing. Raises when it has no place in a cluster.
---@param command string
---@param ... any its arguments
---@return integer slot
---@return boolean read
function network.route(command, ...) end

return network
