--- skynet.sharedata.corelib: shared tables by hand; `skynet.sharedata` does not need it.
---
--- An object is a light userdata that can be sent to other services of the node.
--- Not here: names and updates (skynet/sharedata.lua).

local core = require "skynet.sharedata.core"
local shared = require "skynet.shared"

local corelib = {
  host = {
    new = core.new,
    delete = core.delete,
    getref = core.getref,
    markdirty = core.markdirty,
    incref = core.incref,
    decref = core.decref,
  },
  --- The entry of a view behind a key.
  next = shared.next,
}

--- The object that each view shows, and the box that counts it as used.
local objects = setmetatable({}, { __mode = "k" })

--- A view of an object.
---@param object lightuserdata
---@return table
function corelib.box(object)
  local view = shared.view(object)
  objects[view] = { object = object, box = core.box(object) }
  return view
end

--- Makes a view show another object; the one it shows has to be marked as dirty.
---@param view table
---@param object lightuserdata
function corelib.update(view, object)
  local known = objects[view]
  assert(known and core.isdirty(known.object), "Only dirty object can be update")
  shared.move(view, object)
  objects[view] = { object = object, box = core.box(object) }
end

--- Views are up to date at any time.
function corelib.flush() end

--- An ordinary copy of an object, or of the part that the keys lead to.
---@param object lightuserdata|table
---@param ... any keys
---@return any
function corelib.copy(object, ...)
  return shared.copy(object, ...)
end

return corelib
