---@meta skynet.datasheet.core
-- LuaLS annotations of the native module `skynet.datasheet.core`: datasheets by hand.

---@class skynet.datasheet.core
local core = {}

--- The newer datasheet with its tables numbered as in the older one.
---@param last string
---@param current string
---@return string
function core.diff(last, current) end

--- The bytes of a table; nil if it has `__pairs`.
---@param value table
---@return string?
function core.dump(value) end

--- A view of a datasheet.
---@param pointer lightuserdata
---@return table
function core.new(pointer) end

--- What stands for a datasheet as long as this service lives.
---@param dump string
---@return lightuserdata
function core.stringpointer(dump) end

--- The table of a datasheet, and the number of each table in it.
---@param dump string
---@return table
---@return table<table, integer>
function core.undump(dump) end

--- Makes a view show another datasheet.
---@param view table
---@param pointer lightuserdata
function core.update(view, pointer) end

return core
