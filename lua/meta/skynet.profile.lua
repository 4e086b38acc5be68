---@meta skynet.profile
-- LuaLS annotations of the native module `skynet.profile`.

---@class skynet.profile
local profile = {}

--- Resumes a coroutine; the clocks of profiled coroutines run by themselves. **Yields** when it
--- blocks in the framework.
---@param co thread
---@param ... any
---@return boolean ok
---@return any ...
function profile.resume(co, ...) end

--- As `resume`; `from` is the coroutine whose time skynet 1.3 counted.
---@param co thread
---@param from thread
---@param ... any
---@return boolean ok
---@return any ...
function profile.resume_co(co, from, ...) end

--- Starts the clock of a coroutine, by default the running one.
--- Raises `Thread 0x... start profile more than once`.
---@param co? thread
function profile.start(co) end

--- Stops it; seconds of processor time without those in which the coroutine was suspended.
--- Raises `Call profile.start() before profile.stop()`.
---@param co? thread
---@return number seconds
function profile.stop(co) end

---@param f function
---@return fun(...): ...
function profile.wrap(f) end

---@param ... any
---@return any ...
function profile.yield(...) end

---@param from thread
---@param ... any
---@return any ...
function profile.yield_co(from, ...) end

return profile
