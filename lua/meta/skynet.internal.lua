---@meta skynet.internal
-- LuaLS annotations of the native module `skynet.internal`, which is not for scripts.

---@class skynet.internal
local internal = {}

--- The code of a Lua function, signed for `load_function` on this node.
---@param f function
---@return string
function internal.dump_function(f) end

--- A text that changes with the file; nil when there is none.
---@param path string
---@return string?
function internal.file_stamp(path) end

--- Records the owner of a global name.
---@param name string
---@param handle integer
function internal.global_name(name, handle) end

--- What `skynet.info_func` was given.
---@return function?
function internal.info_func() end

--- The function of what `dump_function` has made. Raises for other code.
---@param code string
---@param name string
---@return function?
---@return string? why
function internal.load_function(code, name) end

--- From now on each line of standard input arrives as a text message. Only for the console.
function internal.read_stdin() end

--- Whether a Lua service of that name can be found.
---@param name string
---@return boolean
function internal.service_exists(name) end

--- The process is to end with a status that says so. Only for bootstrap.
function internal.start_failed() end

--- As `debug.traceback`.
---@param text any
---@param level? integer
---@return any
function internal.traceback(text, level) end

--- The name of an upvalue of a Lua function.
---@param f function
---@param index integer
---@return string?
function internal.upvalue_name(f, index) end

return internal
