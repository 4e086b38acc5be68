---@meta skynet.tls.memory
-- LuaLS annotations of the native module `skynet.tls.memory`, which is `ltls.c`'s own.

---@class skynet.tls.memory
local memory = {}

--- A session of the side that connects. Raises the reason when there is none to be had.
---@param hostname string
---@param options? skynet.socket.tls.options
---@return userdata session
function memory.client(hostname, options) end

--- A session of the other side.
---@param certfile? string
---@param keyfile? string
---@param options? skynet.socket.tls.options
---@return userdata session
function memory.server(certfile, keyfile, options) end

--- What is to be sent first.
---@param session userdata
---@return string
function memory.start(session) end

--- Takes bytes of the peer.
---@param session userdata
---@param bytes? string
---@return string plain
---@return string reply what is to be sent
---@return string? reason why it has failed
function memory.open(session, bytes) end

--- What is to be sent for `bytes`.
---@param session userdata
---@param bytes? string
---@return string
function memory.seal(session, bytes) end

--- Whether the handshake is over.
---@param session userdata
---@return boolean
function memory.finished(session) end

--- Forgets the session.
---@param session userdata
function memory.close(session) end

return memory
