---@meta skynet.codecache
-- LuaLS annotations of the native module `skynet.codecache`.

---@class skynet.codecache
local codecache = {}

--- Forgets all compiled scripts. An edited script is read again without this.
function codecache.clear() end

--- `loadfile` through the cache. Raises when the sandbox does not let the service read the file.
---@param name string
---@param mode? string
---@param environment? table
---@return function?
---@return string? why
function codecache.loadfile(name, mode, environment) end

--- Sets the mode, or tells it.
---@param mode? "ON"|"OFF"|"EXIST"
---@return "ON"|"OFF"|"EXIST"|nil
function codecache.mode(mode) end

return codecache
