---@meta skynet.redis.cluster
-- LuaLS annotations of the native module `skynet.redis.cluster`, which is not for scripts
-- (`skynet.db.redis.cluster` is).

---@class skynet.redis.cluster
local network = {}

--- Runs a command; its reply. **Yields.** Raises the server's error, or why there is no reply.
---@param cluster userdata
---@param command string
---@param ... any its arguments, up to the first nil
---@return any
function network.call(cluster, command, ...) end

--- Closes the connections behind the commands that are under way; the next command opens new ones.
---@param cluster userdata
function network.close(cluster) end

--- CRC16 of a text.
---@param text string
---@return integer
function network.crc16(text) end

--- The slot of a key, 0 to 16383.
---@param key string|number
---@return integer
function network.keyslot(key) end

--- A cluster, not connected yet.
---@param servers (string|integer)[] hosts and ports by turns
---@param options (string|number|false)[] password, user, database, reads (0: of masters, 1: of replicas in need, 2: of replicas), seconds to connect, seconds for a command, TLS (0: none, 1: as the config says, 2: judge, 3: trust)
---@param ca string? file
---@param certfile string? file
---@param keyfile string? file
---@return userdata
function network.new(servers, options, ca, certfile, keyfile) end

return network
