---@meta skynet.redis.client

--- Connections with Redis, for `skynet.db.redis`. Not for scripts. What is called `db` here is a table
--- whose first element is the userdata of a connection.
---@class skynet.redis.client
local client = {}

--- Subscribes a watch to a channel (1) or pattern (2), or ends that (3, 4).
---@param watch userdata
---@param verb integer
---@param channel string
function client.change(watch, verb, channel) end

--- Ends a connection; calls that wait fail.
---@param db table
function client.close(db) end

--- Ends a watch; whoever waits for a message fails.
---@param watch userdata
function client.close_watch(watch) end

--- The function of a command, a method of `db`. **It yields.**
---@param name string
---@param boolean? boolean its answer is whether the reply is not 0
---@param most? integer so many arguments count
---@return fun(db: table, ...): any
function client.command(name, boolean, most) end

--- Connects; raises when that fails. **Yields.**
---@param options skynet.redis.options
---@return userdata connection
function client.connect(options) end

--- The checksum of a key: its lower 14 bits are its slot in a Redis cluster.
---@param text string
---@return integer
function client.crc16(text) end

--- Waits until the connection of a watch is lost or could not be made again; nil at the end.
--- **Yields.**
---@param watch userdata
---@return true?
function client.lost(watch) end

--- The next message of a watch; raises at its end, and what the server said instead. **Yields.**
---@param watch userdata
---@return string data
---@return string channel
---@return string? pattern
function client.message(watch) end

--- Waits until the server begins to take less than it is sent, or takes it again; nil at the end.
--- **Yields.**
---@param connection userdata
---@return boolean? overloaded
function client.overload(connection) end

--- Sends several commands, each a list of its parts. **Yields.**
---@param db table
---@param commands table[]
---@param answers? table gets `{ok=, out=}` of each command, and is the result
---@return any last the value of the last command, if there is no `answers`
function client.pipeline(db, commands, answers) end

--- Says which servers a watch may connect to from now on, if it was made with `hosts`.
---@param watch userdata
---@param hosts string[] `host:port`
function client.renew_hosts(watch, hosts) end

--- Connects for messages; raises when that fails. **Yields.**
---@param options skynet.redis.options
---@return userdata watch
function client.watch(options) end

return client
