---@meta skynet.sproto
-- LuaLS annotations of the native module behind `sproto` and `sprotoparser`. Not for
-- scripts.

---@class skynet.sproto
local internal = {}

--- The bundle of a schema, or nil and what is wrong with its text.
---@param text string
---@param name string what errors call the text
---@return string? bundle
---@return string? reason
function internal.compile(text, name) end

--- `sproto.core.decode` of what stands behind so many bytes.
---@param type lightuserdata
---@param text string
---@param offset integer
---@return table value
---@return integer size
function internal.decode_from(type, text, offset) end

--- The bytes of two structures behind each other, packed. A type that is nil is left out.
---@param header_type? lightuserdata
---@param header? table
---@param type? lightuserdata
---@param value? table
---@return string
function internal.frame(header_type, header, type, value) end

return internal
