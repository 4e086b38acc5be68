---@meta skynet.netpack
-- LuaLS annotations of the native module `skynet.netpack`. A packet is a light userdata and its
-- size; who gets one frees it (skynet.trash, netpack.tostring) or sends it.

---@class skynet.netpack.queue : userdata

---@class skynet.netpack
local netpack = {}

--- Frees what is in a queue.
---@param queue? skynet.netpack.queue
function netpack.clear(queue) end

--- What the event of a socket means to a gate: the queue, and nothing or
--- `"data", id, packet, size`, `"more"` (to be popped), `"open", id, address`, `"close", id`,
--- `"error", id, text`, `"warning", id, kilobytes`, `"init", id, address, port`.
---@param queue? skynet.netpack.queue
---@param event lightuserdata
---@param size integer
---@return skynet.netpack.queue? queue to be given to the next call
---@return string? what
---@return any ...
function netpack.filter(queue, event, size) end

--- The packet with its length, two bytes, in front.
---@param data string|lightuserdata at most 65535 bytes
---@param size? integer needed for a light userdata, which stays the caller's
---@return lightuserdata packet
---@return integer size
function netpack.pack(data, size) end

--- Takes the packet that has waited longest.
---@param queue? skynet.netpack.queue
---@return integer? id
---@return lightuserdata packet
---@return integer size
function netpack.pop(queue) end

--- The bytes of a packet, which is freed.
---@param packet lightuserdata
---@param size integer
---@return string
function netpack.tostring(packet, size) end

return netpack
