---@meta skynet.sharedata.core
-- LuaLS annotations of the native module `skynet.sharedata.core`. An object is a light userdata that
-- stands for a table shared by the services of the node.

---@class skynet.sharedata.core
local core = {}

--- Something that counts as a user of the object until it is collected.
---@param object lightuserdata
---@return userdata
function core.box(object) end

--- Counts a user less.
---@param object lightuserdata
---@return integer users
function core.decref(object) end

--- Forgets an object; who has a view of it keeps it.
---@param object lightuserdata
function core.delete(object) end

--- Number of users.
---@param object lightuserdata
---@return integer users
function core.getref(object) end

--- Number of entries that are not of the array.
---@param object lightuserdata
---@return integer
function core.hashlen(object) end

--- Counts a user.
---@param object lightuserdata
---@return integer users
function core.incref(object) end

--- The value under a key; a table as an object.
---@param object lightuserdata
---@param key any
---@return any
function core.index(object, key) end

--- Whether it was marked as out of date.
---@param object lightuserdata
---@return boolean
function core.isdirty(object) end

--- Length of the array.
---@param object lightuserdata
---@return integer
function core.len(object) end

--- Marks it as out of date.
---@param object lightuserdata
function core.markdirty(object) end

--- What `update` was given for a box; nothing before.
---@param box userdata
---@return lightuserdata? object
---@return table value
function core.needupdate(box) end

--- Shares a table; nothing if it has `__pairs`.
---@param value table
---@return lightuserdata? object
---@return integer bytes
function core.new(value) end

--- The key behind a key, nil at the end.
---@param object lightuserdata
---@param key? any
---@return any
function core.nextkey(object, key) end

--- Notes by what the object of a box is to be replaced.
---@param box userdata
---@param object lightuserdata
---@param value table kept with it
function core.update(box, object, value) end

return core
