---@meta skynet.coroutine
-- LuaLS annotations of the native module `skynet.coroutine`.

---@class skynet.coroutine
local coroutine = {}

--- Ends a suspended or dead coroutine; false and its error when it had failed.
--- Raises for one that runs or is blocked in the framework.
---@param co thread
---@return boolean ok
---@return any why
function coroutine.close(co) end

---@param f function
---@return thread
function coroutine.create(f) end

---@return boolean
function coroutine.isyieldable() end

--- Runs a coroutine until it yields or ends. **Yields** when it blocks in the framework.
---@param co thread
---@param ... any
---@return boolean ok
---@return any ...
function coroutine.resume(co, ...) end

---@return thread running
---@return boolean main
function coroutine.running() end

--- As Lua's own, and `"blocked"` for a coroutine that waits in the framework.
---@param co thread
---@return "running"|"suspended"|"normal"|"dead"|"blocked"
function coroutine.status(co) end

--- The thread of the service that a coroutine belongs to, and whether it is that thread itself.
---@param co? thread
---@return thread?
---@return boolean
function coroutine.thread(co) end

--- A function that resumes a coroutine of `f`, and raises its errors.
---@param f function
---@return fun(...): ...
function coroutine.wrap(f) end

--- Yields to the resumer. Raises `Call skynet.coroutine.yield out of skynet.coroutine.resume`
--- where there is none.
---@param ... any
---@return any ...
function coroutine.yield(...) end

return coroutine
