-- skynet.sharedata.core and corelib: objects that services pass to each other by hand.
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.sharedata.core"
local corelib = require "skynet.sharedata.corelib"

skynet.start(function()
  local object = corelib.host.new { 1, 2, 3, name = "first", sub = { x = "y" } }
  print(type(object), core.len(object), core.hashlen(object), core.index(object, "name"), core.index(object, 2))
  print(type(core.index(object, "sub")), core.index(core.index(object, "sub"), "x"), (core.index(object, "no")))
  local keys, key = {}, nil
  repeat
    key = core.nextkey(object, key)
    keys[#keys + 1] = tostring(key)
  until key == nil
  table.sort(keys)
  print(table.concat(keys, " "))

  print(core.getref(object), corelib.host.incref(object), corelib.host.decref(object))
  local view = corelib.box(object)
  print(core.getref(object), view.name, view.sub.x, #view)
  print(corelib.next(view) ~= nil, corelib.copy(object, "sub").x, corelib.copy(object).name)

  local newer = corelib.host.new { name = "second", sub = { x = "z" } }
  local sub = view.sub
  print((pcall(corelib.update, view, newer)))
  corelib.host.markdirty(object)
  print(core.isdirty(object), core.isdirty(newer))
  corelib.update(view, newer)
  corelib.flush(view)
  print(view.name, sub.x, #view)

  local box = core.box(object)
  print(core.needupdate(box))
  core.update(box, newer, { "kept" })
  print(type(core.needupdate(box)), select(2, core.needupdate(box))[1])
  print((pcall(core.index, nil, "name")))
  skynet.abort()
end)
