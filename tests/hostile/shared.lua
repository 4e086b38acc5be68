-- Shared tables by wrong handles, through finalizers, without end, and beyond every bound.
-- sandbox: message_time = "20s"
-- expect: 0 have escaped
-- expect: no shared object
-- expect: too deep
local skynet = require "skynet"
local builder = require "skynet.datasheet.builder"
local core = require "skynet.sharedata.core"
local dump = require "skynet.datasheet.dump"
local sheet = require "skynet.datasheet.core"
local shared = require "skynet.shared"
local sharedata = require "skynet.sharedata"
local sharetable = require "skynet.sharetable"
local stm = require "skynet.stm"

skynet.start(function()
  local escaped = 0
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    if ok then
      escaped = escaped + 1
    else
      skynet.error(why)
    end
  end

  -- Handles of nothing.
  local object = core.new { sub = {} }
  for _, number in ipairs { 0, 1, 4096, 1 << 32 | 77, -1, math.mininteger } do
    local handle = skynet.unpack(string.pack("<I1i8", 3, number))
    for name, f in pairs(core) do
      if name ~= "new" and name ~= "delete" then
        try(f, handle, "key", {})
      end
    end
    try(shared.view, handle)
    try(shared.copy, handle)
    try(shared.move, sharedata, handle)
    try(sheet.new, handle)
    assert(stm.newcopy(handle)(print) == false)
  end
  for _, f in pairs(shared) do
    pcall(f, {}, object, "x", {})
    pcall(f, object, {}, {}, {})
    pcall(f, "data", "any", "x", "y", "z")
    pcall(f, setmetatable({}, { __index = error, __pairs = error }), 1)
  end
  try(core.box, io.stdout)
  try(core.needupdate, io.stdout)
  try(stm.copy, io.stdout)

  -- Natives of views on tables that are none.
  sharetable.loadtable("t", { sub = { x = 1 }, list = { 1, 2, 3 } })
  local t = sharetable.query "t"
  for _, f in ipairs { next, rawget, rawlen, rawset, shared.next, shared.copy } do
    pcall(f, setmetatable({}, { __index = t }), "x", 1)
  end

  -- A key that an update has taken away: Lua's own next does not know it, pairs comes to its end.
  local list = t.list
  local step = pairs(list)
  sharetable.loadtable("t", { sub = { x = 1 }, list = { 4 } })
  sharetable.update "t"
  assert(next(list) == 1 and list[1] == 4 and next(list, 1) == nil)
  local ok, why = pcall(next, list, 3)
  assert(not ok and why:find("invalid key to 'next'", 1, true), why)
  assert(step(list, 3) == nil)

  -- Finalizers that change the table that is being read; the keys of its lists stay.
  local version = 0
  local function litter()
    setmetatable({}, { __gc = function()
      version = version + 1
      sharetable.loadtable("t", { sub = { x = version, y = ("y"):rep(version % 50) }, list = { ("z"):rep(60) } })
      sharetable.update "t"
      shared.look_again()
      collectgarbage "step"
    end })
  end
  for i = 1, 2000 do
    litter()
    local list = {}
    for key, value in pairs(t) do
      list[#list + 1] = tostring(key) .. type(value)
      for inner, what in next, value do
        list[#list + 1] = tostring(inner) .. tostring(what):rep(20)
      end
    end
    local copy = shared.copy(t)
    assert(type(copy.sub) == "table" and copy.sub.x)
    if i % 100 == 0 then
      collectgarbage()
    end
  end

  -- Finalizers that take the metatable from the view that is being read, and what it leads to with it;
  -- tables that were never views, with the metatable of one.
  for i = 1, 30 do
    local view = shared.view((core.new { text = ("x"):rep(100 + i), sub = { 1 }, { 2 } }))
    local meta = debug.getmetatable(view)
    setmetatable({}, { __gc = function()
      debug.setmetatable(view, nil)
      meta = nil
      collectgarbage()
    end })
    pcall(function()
      for _ = 1, 50 do
        for _, value in shared.next, view do
          local _ = type(value) == "table" and (value[1] or value.x)
        end
        local _ = view.text, view.sub, view[1]
        collectgarbage "step"
      end
    end)
    local false_view = debug.setmetatable({ {}, x = {} }, debug.getmetatable(t))
    for _, f in pairs { next, rawget, rawlen, shared.copy, skynet.packstring } do
      pcall(f, false_view, "sub")
    end
    pcall(sharetable.loadtable, "false", false_view)
    local bare = debug.setmetatable(t.sub, nil)
    for key, value in next, bare do
      pcall(rawset, false_view, key, value)
    end
    for key in next, bare do
      bare[key] = i % 2 == 0 and bare or -1
    end
    debug.setmetatable(bare, debug.getmetatable(t))
    pcall(function() return bare.x, #bare, next(bare) end)
    sharetable.loadtable("t", { sub = { x = i }, list = { i } })
    sharetable.update "t"
    pcall(function() return bare.x, #bare, next(bare), bare == t.sub end)
    debug.setmetatable(bare, nil)
    bare, false_view = nil, nil
    collectgarbage()
  end

  -- Without end: itself inside, few tables that stand for many, names over names.
  local circle = {}
  circle.circle = circle
  sharedata.new("circle", circle)
  assert(sharedata.query("circle").circle.circle.circle)
  try(sharedata.deepcopy, "circle")
  local deep = {}
  for _ = 1, 10000 do
    deep = { deep }
  end
  try(sharedata.new, "deep", deep)
  try(builder.new, "deep", deep)
  local wide = { 1 }
  for _ = 1, 30 do
    wide = { wide, wide }
  end
  sharedata.new("wide", wide)
  try(sharedata.deepcopy, "wide")
  try(function()
    for i = 1, 100000 do
      sharedata.new("name" .. i, {})
    end
  end)
  for i = 1, 100000 do
    pcall(sharedata.delete, "name" .. i)
  end

  -- Datasheets of noise.
  local good = dump.dump { 1, "two", { three = 3.5 }, name = { list = { true } } }
  local state = 7
  for _ = 1, 3000 do
    state = (state * 1103515245 + 12345) & 0x7fffffff
    local at = (state >> 8) % #good + 1
    local bad = good:sub(1, at - 1) .. string.char(state & 255) .. good:sub(at + 1)
    pcall(dump.undump, bad)
    pcall(dump.diff, good, bad)
    pcall(dump.diff, bad, good)
    pcall(dump.undump, good:sub(1, at))
  end
  skynet.error(("%d have escaped"):format(escaped))
end)
