---@meta skynet.require
-- LuaLS annotations of the native module `skynet.require`.

---@class skynet.require
local require = {}

--- Runs `f` before the start function, or when the module being loaded is; at once when neither
--- is to come.
---@param f function
function require.init(f) end

--- Runs what the main chunk registered with `init`, once. **Yields** when they do.
function require.init_all() end

--- The global `require`: a module whose chunk may block. **Yields** when it does, and while another
--- coroutine loads the module. Raises for a circle of modules, and what the chunk raises.
---@param name string
---@return any
function require.require(name) end

return require
