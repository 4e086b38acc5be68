---@meta skynet.socket.tls
-- LuaLS annotations of the native module `skynet.socket.tls`.

---@class skynet.socket.tls
local tls = {}

--- Options of both sides. What is absent is as the config says (`tls_ca`, `tls_verify`, `certfile`, `keyfile`,
--- `tls_handshake_timeout`).
---@class skynet.socket.tls.options
---@field verify? boolean whether the server's certificate is judged
---@field ca? string PEM file of those who are trusted; on a server: clients must show a certificate
---@field certfile? string PEM file of the certificate that is shown
---@field keyfile? string PEM file of its key
---@field ciphers? string ciphers of TLS 1.2, as OpenSSL writes the list
---@field handshake_timeout? number seconds for the handshake; then the connection is closed

--- Does the handshake of the side that has connected. From then on the socket reads and writes plaintext. **Yields.**
---@param fd integer a socket of this service
---@param hostname string the name that the server's certificate has to have
---@param options? skynet.socket.tls.options
---@return true? done
---@return string? reason
function tls.client(fd, hostname, options) end

--- Does the handshake of the side that was connected to. **Yields.**
---@param fd integer a socket of this service
---@param certfile? string
---@param keyfile? string
---@param options? skynet.socket.tls.options
---@return true? done
---@return string? reason
function tls.server(fd, certfile, keyfile, options) end

return tls
