---@meta skynet.require
-- LuaLS annotations of the native module `skynet.require`, whose `require` is the global one.

---@class skynet.require
local require_module = {}

--- Runs `f` before the start function, or when the module that this coroutine loads is loaded; at
--- once when neither is to come. `skynet.init` is this function.
---@param f fun()
function require_module.init(f) end

--- Runs what the main chunk registered with `init`, once. **Yields** when that does.
function require_module.init_all() end

--- As Lua's own `require`, but the chunk may block; who wants the same module meanwhile waits.
--- **Yields** when the chunk does.
---@param name string
---@return any
function require_module.require(name) end

return require_module
