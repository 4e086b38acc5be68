---@meta skynet.websocket

--- WebSocket connections, for `http.websocket` and `websocket`. Not for scripts.
---@class skynet.websocket
local websocket = {}

--- The server's side of a connection on a socket of this service; nil, why not, and the status of
--- HTTP for it.
---@param id integer
---@param limits table max_frame, max_message, max_write, handshake, close, ping, unmasked, masks
---@param protocols? string subprotocols to choose from; any if absent
---@param upgrade? string[] method, url, then names and values of a request read already
---@param early? string bytes read behind it
---@return userdata? connection
---@return string? reason
---@return integer? status
function websocket.accept(id, limits, protocols, upgrade, early) end

--- Begins the closing handshake; does nothing when it is closed. Raises for a code that must not be
--- on the wire.
---@param connection userdata
---@param code? integer
---@param reason? string
---@return true
function websocket.close(connection, code, reason) end

--- The client's side of a connection on a socket of this service; nil and why not.
---@param id integer
---@param limits table
---@param host string
---@param url string
---@param header string[] names and values
---@return userdata? connection
---@return string? reason
function websocket.connect(id, limits, host, url, header) end

--- Whether messages can be sent.
---@param connection userdata
---@return boolean
function websocket.is_open(connection) end

--- What happens next: 1 text, 2 binary, 3 ping, 4 pong, each with its bytes; 5 open with url and
--- head; 6 closed with how, code and reason. Nothing after that. **Yields.**
---@param connection userdata
---@return integer? kind
---@return any
---@return any
---@return any
function websocket.next(connection) end

--- Sends a ping or pong; nil and why not.
---@param connection userdata
---@param data? string
---@param pong? boolean
---@return true?
---@return string? reason
function websocket.ping(connection, data, pong) end

--- Answers a request with an error of HTTP.
---@param id integer
---@param status integer
---@param reason string
---@return boolean
function websocket.refuse(id, status, reason) end

--- Makes `skynet.socket` forget the socket, which its connection closes.
---@param id integer
function websocket.release(id) end

--- Sends a message or a part of one; nil and why not. Raises for what breaks the protocol.
---@param connection userdata
---@param data string
---@param kind integer 1 text, 2 binary, 0 the next part
---@param mask? integer
---@param last? boolean
---@return true?
---@return string? reason
function websocket.send(connection, data, kind, mask, last) end

return websocket
