-- Shared tables are tables to next, rawget, rawlen, table.*, skynet.pack and ==; nobody can write to them.
local skynet = require "skynet"
require "skynet.manager"
local sharetable = require "skynet.sharetable"
local sharedata = require "skynet.sharedata"

local function text(ok, message)
  return ok, (tostring(message):gsub("^.*:%d+: ", ""))
end

local function keys(t)
  local list = {}
  for key in next, t do
    list[#list + 1] = tostring(key)
  end
  table.sort(list)
  return table.concat(list, " ")
end

skynet.start(function()
  sharetable.loadtable("t", {
    "a", "b", "c", { deep = true }, key = "value", sub = { 1, 2, 3 }, [true] = "yes", [1.5] = "half", empty = {},
  })
  local t = sharetable.query "t"
  print(keys(t))
  print(next(t.empty), rawlen(t), rawlen(t.sub), #t, rawget(t, "key"), rawget(t, "no"), t[true], t[1.5], t[3.0])
  print(table.concat(t, ",", 1, 3), table.unpack(t.sub))
  print(select("#", table.unpack(t)), rawequal(t.sub, t.sub), t.sub == t.sub)
  print(getmetatable(t) and "a metatable" or "no metatable")
  local packed = skynet.unpack(skynet.packstring(t))
  print(keys(packed), #packed, packed[4].deep, packed.sub[3])

  print((pcall(function() t.fresh = 1 end)), (pcall(function() t.key = 1 end)), (pcall(rawset, t, "key", 1)))
  print((pcall(table.insert, t, 1)), (pcall(table.sort, t.sub, function(a, b) return a > b end)), (pcall(setmetatable, t, {})))
  print(text(pcall(next, t, "no such key")))

  -- Ordinary tables are as ever.
  local plain = setmetatable({ 1 }, { __index = function() return "virtual" end })
  print(plain.x, rawget(plain, "x"), rawlen(plain), rawlen "four", next(plain), rawset(plain, 2, 3) == plain, plain[2])
  print(pcall(next, 1))
  print(pcall(rawget, {}))
  print(pcall(rawlen, 1))

  -- What is shared may be published again, as a whole or in part.
  sharedata.new("again", { copy = sharedata.query and t.sub, more = t[4] })
  print(#sharedata.query("again").copy, sharedata.query("again").more.deep)
  sharetable.loadtable("part", t.sub)
  print(sharetable.query("part")[2], sharetable.query "part" == sharetable.query "part")

  -- Functions without upvalues are shared.
  sharetable.loadstring("f", "return { add = function(a, b) return a + b end, type = type }")
  local f = sharetable.query "f"
  print(f.add(1, 2), f.type(f), f.add == f.add)

  -- Parts keep their place over updates.
  local sub = t.sub
  sharetable.loadtable("t", { sub = { 7 }, key = { "a table now" } })
  sharetable.update("t", "no such table")
  print(#sub, sub[1], sub == t.sub, t.key[1], t[1], t == sharetable.query "t")

  -- Tables that contain themselves.
  sharetable.loadstring("loop", "local t = { x = 1 } t.t = t return t")
  local loop = sharetable.query "loop"
  for _ = 1, 1000 do
    loop = loop.t
  end
  print("loop", loop.x)
  skynet.abort()
end)
