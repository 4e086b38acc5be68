---@meta skynet.memory
-- LuaLS annotations of the native module `skynet.memory`. Numbers are those of the services' own
-- accounts, as of the end of their last turn; there is no jemalloc.

---@class skynet.memory
local memory = {}

--- How many services hold memory.
---@return integer
function memory.block() end

--- Bytes of this service, now.
---@return integer
function memory.current() end

--- Logs a line for each service.
function memory.dump() end

--- Logs that there is no jemalloc.
function memory.dumpheap() end

--- Logs that there is no jemalloc.
---@param options? string
function memory.dumpinfo(options) end

--- Bytes of every service by handle.
---@return table<integer, integer>
function memory.info() end

--- Five counters, all 0; logs that there is no jemalloc.
---@return table<string, integer> by "stats.active", "stats.allocated" and so on
function memory.jestat() end

--- 0; logs that there is no jemalloc.
---@param name string
---@return integer
function memory.mallctl(name) end

--- False; logs that there is no jemalloc.
---@param on? boolean
---@return boolean
function memory.profactive(on) end

--- Bytes of all services.
---@return integer
function memory.total() end

return memory
