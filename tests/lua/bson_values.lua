-- Values of bson: what comes back, what each is, and documents whose values are replaced.
local skynet = require "skynet"
require "skynet.manager"
local bson = require "bson"

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

--- Calls, and says the error without the place in the library.
local function failing(f, ...)
  local ok, why = pcall(f, ...)
  return ok, (tostring(why):gsub("^[^:]+:%d+: ", ""))
end

skynet.start(function()
  local id = bson.objectid "0123456789abcdef01234567"
  local document = bson.encode {
    a = 1, b = 1 << 40, c = 1.5, d = "text", e = true, f = { 1, 2, 3 }, g = { h = "inner" },
    i = bson.null, j = bson.minkey, k = bson.maxkey, l = id, m = bson.date(1500000000),
    n = bson.timestamp(1500000000, 3), o = bson.binary "bytes\0\1", p = bson.regex("^a", "i"),
  }
  print(type(document), #document, #tostring(document))
  local value = document:decode()
  print(value.a, value.b, value.c, value.d, value.e, #value.f, value.f[3], value.g.h)
  for _, key in ipairs { "i", "j", "k", "l", "m", "n", "p" } do
    print(key, bson.type(value[key]))
  end
  print(bson.type(value.o) == "binary", select(2, bson.type(value.o)) == "bytes\0\1", select(3, bson.type(value.o)))
  print(bson.type(1), bson.type(true), bson.type "text", bson.type "", bson.type(nil))
  print((bson.type {}))
  print(value.l == id, value.i == bson.null, bson.decode(document).a)
  print(hex(bson.null), hex(bson.minkey), hex(bson.maxkey), hex(id))

  local one, two = bson.objectid(), bson.objectid()
  print(#one, one ~= two, one:sub(3, 11) == two:sub(3, 11))
  print(select(2, bson.type(one)):match "^%x+$" ~= nil)

  local changing = bson.encode { n = 1, f = 2.5, t = "text", b = true, w = 1 << 50, id = id, d = bson.date(5) }
  print((pcall(function() changing.n = 2 end)))
  print(changing:makeindex() == changing)
  changing.n, changing.f, changing.b, changing.w = 77, 0.25, false, 3
  changing.id, changing.d = bson.objectid "ffffffffffffffffffffffff", bson.date(6)
  value = changing:decode()
  print(value.n, value.f, value.t, value.b, value.w, select(2, bson.type(value.id)), select(2, bson.type(value.d)))
  print(select(2, pcall(function() changing.t = "other" end)):match "Can't replace.*")
  print(select(2, pcall(function() changing.none = 1 end)):match "Can't replace.*")
  print(select(2, pcall(function() changing.n = "x" end)):match "must be.*")

  local ordered = bson.encode_order("z", 1, "a", 2, "m", { 1, { x = "y" } })
  print(hex(tostring(ordered)))
  print(ordered:decode().m[2].x)
  print(select("#", bson.decode(nil)), select("#", bson.decode()))
  print(failing(bson.encode))
  print(failing(bson.encode, { 1, 2, 3 }))
  print(failing(bson.encode, { f = print }))
  print(failing(bson.encode_order, "a"))
  print(failing(bson.objectid, "12"))
  print(failing(bson.type, print))
  print(failing(bson.type, "\0\9x"))
  print(failing(bson.date))
  skynet.abort()
end)
