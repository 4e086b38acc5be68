---@meta skynet.sproto
-- LuaLS annotations of the native module behind `sprotoparser`. Not for scripts.

---@class skynet.sproto
local compiler = {}

--- The bundle of a schema, or nil and what is wrong with its text.
---@param text string
---@param name string what errors call the text
---@return string? bundle
---@return string? reason
function compiler.compile(text, name) end

return compiler
