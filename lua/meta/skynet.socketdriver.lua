---@meta skynet.socketdriver
-- LuaLS annotations of the native module `skynet.socketdriver`. Events come as messages of the
-- type `socket`, which `unpack` reads.

---@class skynet.socketdriver
local driver = {}

--- The id of a socket of a descriptor made elsewhere.
---@param descriptor integer
---@return integer id
function driver.bind(descriptor) end

--- An empty buffer.
---@return userdata
function driver.buffer() end

--- Forgets what is in a buffer.
---@param buffer userdata?
---@param pool? table
function driver.clear(buffer, pool) end

--- Closes a socket; what is written still goes out.
---@param id integer
function driver.close(id) end

--- The id of a connection being opened; an event tells how it went.
---@param host string
---@param port? integer
---@return integer id
function driver.connect(host, port) end

--- Frees a block.
---@param block lightuserdata
---@param size integer
function driver.drop(block, size) end

--- The number of a big-endian head of 1 to 4 bytes.
---@param bytes string
---@return integer
function driver.header(bytes) end

--- What is known of every socket of the node.
---@return skynet.socket.info[]
function driver.info() end

--- The id of a listening socket, which accepts from `start` on. **Yields** for a host name, as all functions with
--- one here but `connect`.
---@param host string
---@param port? integer
---@param backlog? integer
---@return integer id
function driver.listen(host, port, backlog) end

--- As `send`, behind everything that `send` sends.
---@param id integer
---@param data string|string[]|lightuserdata|userdata
---@param size? integer
---@return boolean
function driver.lsend(id, data, size) end

--- Small writes go out at once.
---@param id integer
function driver.nodelay(id) end

--- Takes nothing from the peer until the socket is started again.
---@param id integer
function driver.pause(id) end

--- So many bytes or nil, and how many are left.
---@param buffer userdata
---@param pool table
---@param bytes integer
---@return string?
---@return integer
function driver.pop(buffer, pool, bytes) end

--- Adds a block, which is freed; the bytes in the buffer.
---@param buffer userdata
---@param pool table
---@param block lightuserdata
---@param size integer
---@return integer
function driver.push(buffer, pool, block, size) end

--- Everything in a buffer.
---@param buffer userdata
---@param pool table
---@return string
function driver.readall(buffer, pool) end

--- A line; without a pool, true if there is one.
---@param buffer userdata
---@param pool table?
---@param separator string
---@return string|true|nil
function driver.readline(buffer, pool, separator) end

--- The addresses of a host. **Yields** in a coroutine.
---@param host string
---@return string[]
function driver.resolve(host) end

--- Writes; false when the socket is gone. Never blocks.
---@param id integer
---@param data string|string[]|lightuserdata|userdata
---@param size? integer
---@return boolean
function driver.send(id, data, size) end

--- Closes a socket at once, dropping what is unsent.
---@param id integer
function driver.shutdown(id) end

--- Takes a socket over; events tell what arrives.
---@param id integer
function driver.start(id) end

--- A block with a copy of a text, and its size.
---@param text string
---@return lightuserdata
---@return integer
function driver.str2p(text) end

--- The id of a socket of datagrams.
---@param host? string
---@param port? integer
---@return integer id
function driver.udp(host, port) end

--- Host and port of whoever `from` stands for.
---@param from string
---@return string host
---@return integer port
function driver.udp_address(from) end

--- Names the peer that `send` sends to.
---@param id integer
---@param host string
---@param port? integer
function driver.udp_connect(id, host, port) end

--- The id of a socket of datagrams that talks to one peer alone.
---@param host string
---@param port integer
---@return integer id
function driver.udp_dial(host, port) end

--- The id of a socket of datagrams at an address of its own.
---@param host string
---@param port integer
---@return integer id
function driver.udp_listen(host, port) end

--- Sends a datagram to whoever `from` stands for.
---@param id integer
---@param from string
---@param data string|string[]|lightuserdata|userdata
---@param size? integer
---@return boolean
function driver.udp_send(id, from, data, size) end

--- Type, id, number, and a block that the script owns or a text; of a datagram also its sender.
---@param message lightuserdata
---@param size integer
---@return integer type
---@return integer id
---@return integer number
---@return lightuserdata|string data
---@return string? from
function driver.unpack(message, size) end

return driver
