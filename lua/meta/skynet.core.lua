---@meta skynet.core
-- LuaLS annotations of the native module `skynet.core`; see skynet.lua for the types.

---@class skynet.core
local core = {}

--- Runs a command whose result is a handle.
---@param name string
---@param text? string
---@return integer?
function core.addresscommand(name, text) end

--- Gives every message to `f` instead of the handlers. With `forward`, `f` owns the message.
---@param f fun(type: integer, message: lightuserdata?, size: integer, session: integer, source: integer)
---@param forward? boolean
function core.callback(f, forward) end

--- Runs a command; its result as text.
---@param name string
---@param text? string
---@return string?
function core.command(name, text) end

--- Writes its arguments to the log, joined by blanks.
---@param ... any
function core.error(...) end

--- A fresh session number.
---@return integer
function core.genid() end

--- The id of the node an address is on, and whether that is another one.
---@param address integer
---@return integer harbor
---@return boolean remote
function core.harbor(address) end

--- Nanoseconds of the monotonic clock.
---@return integer
function core.hpc() end

--- Runs a command; its result as a number.
---@param name string
---@param argument? string|integer
---@return integer?
function core.intcommand(name, argument) end

--- Hundredths of a second since the node started.
---@return integer
function core.now() end

---@param ... any
---@return lightuserdata message
---@return integer size
function core.pack(...) end

---@param ... any
---@return string
function core.packstring(...) end

--- Sends a message in the name of `source`.
---@param address skynet.address
---@param source integer
---@param type integer
---@param session integer
---@param message skynet.message
---@param size? integer
---@return integer|false|nil
function core.redirect(address, source, type, session, message, size) end

--- Sends a message; the session nil asks for a new one, which is returned.
---@param address skynet.address
---@param type integer
---@param session integer?
---@param message skynet.message
---@param size? integer
---@return integer|false|nil
function core.send(address, type, session, message, size) end

---@param message skynet.message
---@param size? integer
---@return string
function core.tostring(message, size) end

--- Logs one event of a trace.
---@param tag string
---@param text string
---@param ... any
function core.trace(tag, text, ...) end

---@param message skynet.message
---@param size? integer
function core.trash(message, size) end

---@param message skynet.message
---@param size? integer
---@return any ...
function core.unpack(message, size) end

return core
