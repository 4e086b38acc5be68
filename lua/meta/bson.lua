---@meta bson
-- LuaLS annotations of the native module `bson`. Values that Lua does not have are strings: a zero
-- byte, their kind, what they hold.

--- A document. `tostring` gives its bytes, `#` their number; once it has been indexed, assigning to a
--- key writes over a value of fixed size.
---@class bson.document : userdata
local document = {}

--- As `bson.decode`.
---@return table
function document:decode() end

--- Notes where the values of fixed size are.
---@return bson.document
function document:makeindex() end

---@class bson
---@field null string
---@field minkey string
---@field maxkey string
local bson = {}

--- Bytes.
---@param bytes string
---@return string
function bson.binary(bytes) end

--- A date.
---@param seconds integer since 1970
---@return string
function bson.date(seconds) end

--- The table of a document. Nothing for a null pointer.
---@param data bson.document|lightuserdata|string
---@return table
function bson.decode(data) end

--- A document. A table whose first key is a place in its list, or with `__len`, becomes an array; an
--- empty one a document.
---@param value table
---@return bson.document
function bson.encode(value) end

--- A document with its elements in the order of the arguments.
---@param ... any key, value, key, value ...
---@return bson.document
function bson.encode_order(...) end

--- An integer that is written in 64 bits whatever it is.
---@param number integer
---@return string
function bson.int64(number) end

--- The object id of digits, or a new one.
---@param digits? string 24 hexadecimal digits
---@return string
function bson.objectid(digits) end

--- A pattern.
---@param pattern string
---@param options? string
---@return string
function bson.regex(pattern, options) end

--- A time of the server's own.
---@param seconds integer since 1970
---@param increment? integer within the second; counted up by default
---@return string
function bson.timestamp(seconds, increment) end

--- The address of a document, good for as long as the document is alive.
---@param data bson.document
---@return lightuserdata
function bson.to_lightuserdata(data) end

--- The name of a value's type, and what it is: the value itself, or what it holds.
---@param value any
---@return string name
---@return any ...
function bson.type(value) end

return bson
