---@meta skynet.debugchannel
-- LuaLS annotations of the native module `skynet.debugchannel`.

---@class skynet.debugchannel
local debugchannel = {}

---@class skynet.debugchannel.channel
---@field read fun(self, milliseconds?: integer): string? the next line; **yields** when it waits
---@field write fun(self, line: string): boolean false when too much is unread

--- The channel of another service. Raises when there is none.
---@param pointer lightuserdata
---@return skynet.debugchannel.channel
function debugchannel.connect(pointer) end

--- A channel, and what another service of this node connects to it with.
---@return skynet.debugchannel.channel
---@return lightuserdata pointer
function debugchannel.create() end

--- Makes a pointer unknown; those who are connected stay so.
---@param pointer lightuserdata
function debugchannel.release(pointer) end

--- As `debug.sethook`, but a hook that returns true at a line stops the thread there until
--- `skynet.wakeup(thread)`.
---@param thread thread|function|nil
---@param f function|string|nil
---@param mask string?
function debugchannel.sethook(thread, f, mask) end

return debugchannel
