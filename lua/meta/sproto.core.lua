---@meta sproto.core
-- LuaLS annotations of the native module `sproto.core`. Handles of schemas and types are light
-- userdata that mean something in all services of a node; a null pointer is a type without content.

---@class sproto.core
local core = {}

--- The structure in bytes, and how many of them it takes. Nothing for a null pointer.
---@param type lightuserdata
---@param data string|lightuserdata
---@param size? integer needed for a light userdata
---@param into? table the table to be filled
---@return table value
---@return integer size
---@overload fun(type: lightuserdata, data: string, into?: table): table, integer
function core.decode(type, data, size, into) end

--- What each field is when it is not given.
---@param type lightuserdata
---@return table
function core.default(type) end

--- Forgets a schema.
---@param schema lightuserdata
function core.deleteproto(schema) end

--- Writes what is in a schema to standard output.
---@param schema lightuserdata
function core.dumpproto(schema) end

--- The bytes of a structure.
---@param type lightuserdata
---@param value? table
---@return string
function core.encode(type, value) end

--- The schema in a slot.
---@param index? integer 0 to 15
---@return lightuserdata schema
function core.loadproto(index) end

--- Makes a schema of a bundle; nil and the reason when it is none.
---@param bundle string
---@return lightuserdata? schema
---@return string? reason
function core.newproto(bundle) end

--- Packs zeros away.
---@param data string|lightuserdata
---@param size? integer needed for a light userdata
---@return string
function core.pack(data, size) end

--- The number of a protocol, or its name, and the types of request and response.
---@param schema lightuserdata
---@param key string|integer
---@return integer|string|nil
---@return lightuserdata? request
---@return lightuserdata? response a null pointer: there is one, without content
function core.protocol(schema, key) end

--- The type with a name; nothing if there is none.
---@param schema lightuserdata
---@param name string
---@return lightuserdata? type
function core.querytype(schema, name) end

--- Puts a schema into a slot of the node, or empties the slot.
---@param schema lightuserdata?
---@param index? integer 0 to 15
function core.saveproto(schema, index) end

--- Reverses `pack`.
---@param data string|lightuserdata
---@param size? integer needed for a light userdata
---@return string
function core.unpack(data, size) end

return core
