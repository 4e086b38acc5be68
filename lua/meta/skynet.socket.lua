---@meta skynet.socket
-- LuaLS annotations of the native module `skynet.socket`.

---@class skynet.socket
local socket = {}

--- Forgets a socket, so that another service can start it.
---@param id integer
function socket.abandon(id) end

--- A socket of a descriptor made elsewhere; nil and why not.
---@param descriptor integer
---@return integer? id
---@return string? failure
function socket.bind(descriptor) end

--- Waits until there is something to read; false when the socket is closed. **Yields.**
---@param id integer
---@return boolean
function socket.block(id) end

--- Closes a socket; what is written still goes out. **Yields.**
---@param id integer
function socket.close(id) end

--- Closes a socket that this service has never started.
---@param id integer
function socket.close_fd(id) end

--- True when the socket is closed by the peer, nil when it is none of this service.
---@param id integer
---@return boolean?
function socket.disconnected(id) end

--- The number of a big-endian head of 1 to 4 bytes.
---@param bytes string
---@return integer
function socket.header(bytes) end

--- True when the socket is none of this service.
---@param id integer
---@return boolean
function socket.invalid(id) end

--- Closes the socket when more bytes are unread and nobody waits for a number of them.
---@param id integer
---@param bytes? integer
function socket.limit(id, bytes) end

--- A listening socket, which accepts from `start` on. Raises `Listen error`. **Yields** for a host name.
---@param host string
---@param port? integer
---@param backlog? integer
---@return integer id
---@return string address
---@return integer port
function socket.listen(host, port, backlog) end

--- Waits for the right to write. **Yields.**
---@param id integer
function socket.lock(id) end

--- As `write`, behind everything that `write` sends.
---@param id integer
---@param data string|string[]|lightuserdata|userdata
---@param size? integer
---@return boolean
function socket.lwrite(id, data, size) end

---@class skynet.socket.info
---@field id integer
---@field address integer
---@field type "LISTEN"|"TCP"|"UDP"|"BIND"|"CLOSING"
---@field accept? integer
---@field read? integer
---@field write? integer
---@field wbuffer? integer
---@field rtime integer
---@field wtime? integer
---@field reading? boolean
---@field writing? boolean
---@field peer? string
---@field sock? string

--- What is known of every socket of the node.
---@return skynet.socket.info[]
function socket.netstat() end

--- Has `f` called once when the socket closes.
---@param id integer
---@param f? fun(id: integer)
function socket.onclose(id, f) end

--- Opens a connection; nil and why there is none. **Yields.**
---@param host string
---@param port? integer
---@return integer? id
---@return string? failure
function socket.open(host, port) end

--- Takes nothing from the peer until somebody has to wait for it.
---@param id integer
function socket.pause(id) end

--- So many bytes, or what there is; false and the rest when the socket is closed. **Yields.**
---@param id integer
---@param bytes? integer
---@return string|false data
---@return string? rest
function socket.read(id, bytes) end

--- Everything until the peer closes; false when it has and nothing is left. **Yields.**
---@param id integer
---@return string|false
function socket.readall(id) end

--- A line without its separator; false and the rest when the socket is closed. **Yields.**
---@param id integer
---@param separator? string
---@return string|false line
---@return string? rest
function socket.readline(id, separator) end

--- The addresses of a host. **Yields.**
---@param host string
---@return string[]
function socket.resolve(host) end

--- Sends a datagram to whoever `from` stands for.
---@param id integer
---@param from string
---@param data string|string[]|lightuserdata|userdata
---@param size? integer
---@return boolean
function socket.sendto(id, from, data, size) end

--- Closes a socket at once, dropping what is unsent. It still has to be closed.
---@param id integer
function socket.shutdown(id) end

--- Takes a socket over and begins to read, or to accept with `f`; nil and why not.
---@param id integer
---@param f? fun(id: integer, address: string)
---@return integer? id
---@return string? failure
function socket.start(id, f) end

--- Standard input as a socket.
---@return integer? id
---@return string? failure
function socket.stdin() end

--- A socket of datagrams. **Yields** for a host name.
---@param f fun(data: string, from: string)
---@param host? string
---@param port? integer
---@return integer id
function socket.udp(f, host, port) end

--- Host and port of whoever `from` stands for.
---@param from string
---@return string host
---@return integer port
function socket.udp_address(from) end

--- Names the peer that `write` sends to. **Yields** for a host name.
---@param id integer
---@param host string
---@param port? integer
---@param f? fun(data: string, from: string)
function socket.udp_connect(id, host, port, f) end

--- A socket of datagrams that talks to one peer alone. **Yields** for a host name.
---@param host string
---@param port integer
---@param f fun(data: string, from: string)
---@return integer id
function socket.udp_dial(host, port, f) end

--- A socket of datagrams at an address of its own. **Yields** for a host name.
---@param host string
---@param port integer
---@param f fun(data: string, from: string)
---@return integer id
function socket.udp_listen(host, port, f) end

--- Passes the right to write on.
---@param id integer
function socket.unlock(id) end

--- Has `f` called when much waits to be sent, and with 0 when it is out.
---@param id integer
---@param f? fun(id: integer, kilobytes: integer)
function socket.warning(id, f) end

--- Writes; false when the socket is gone. Never blocks.
---@param id integer
---@param data string|string[]|lightuserdata|userdata
---@param size? integer
---@return boolean
function socket.write(id, data, size) end

return socket
