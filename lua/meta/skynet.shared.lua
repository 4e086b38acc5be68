---@meta skynet.shared
-- LuaLS annotations of the native module `skynet.shared`: what skynet.sharedata, sharetable and
-- datasheet are made of. A view is a table that shows a shared one; an object is a light userdata
-- that stands for a shared table without a name.

---@class skynet.shared
local shared = {}

---@alias skynet.shared.kind "data"|"table"|"sheet"

--- An ordinary copy of what is shared, or of the part that the keys lead to.
---@param from table|lightuserdata view or object
---@param ... any keys
---@return any
function shared.copy(from, ...) end

--- Frees a name; who has the table keeps it.
---@param kind skynet.shared.kind
---@param name string
---@return boolean existed
function shared.delete(kind, name) end

--- Whether a value is a view.
---@param value any
---@return boolean
function shared.is_view(value) end

--- Bytes of the current version of each name.
---@param kind skynet.shared.kind
---@return table<string, integer>
function shared.list(kind) end

--- Views show the latest version from now on, not from the next turn of the service on.
function shared.look_again() end

--- Makes the view of an object show another one.
---@param view table
---@param object lightuserdata
function shared.move(view, object) end

--- All names, as keys.
---@param kind skynet.shared.kind
---@return table<string, integer>
function shared.names(kind) end

--- The entry of a view behind a key.
---@param view table
---@param key? any
---@return any? key
---@return any value
function shared.next(view, key) end

--- Shares a table without a name; nothing if it has `__pairs`.
---@param value table|string
---@param kind? skynet.shared.kind
---@param strict? boolean refuse metatables
---@return lightuserdata? object
---@return integer bytes
function shared.object(value, kind, strict) end

--- Shares a table under a name: a new one, one in the place of what is there, or any.
---@param kind skynet.shared.kind
---@param how "new"|"replace"|"any"
---@param name string
---@param value table|string
---@param strict? boolean refuse metatables
---@return boolean done false if it has `__pairs`
function shared.publish(kind, how, name, value, strict) end

--- The view of a name, or nothing.
---@param kind skynet.shared.kind
---@param name string
---@return table?
function shared.query(kind, name) end

--- Puts the values on the stack of a coroutine into a list.
---@param thread thread
---@param list table
---@return integer count
function shared.stack_values(thread, list) end

--- Makes all views of a sharetable name show its latest version.
---@param name string
function shared.update(name) end

--- A view of an object.
---@param object lightuserdata
---@param kind? skynet.shared.kind
---@return table
function shared.view(object, kind) end

return shared
