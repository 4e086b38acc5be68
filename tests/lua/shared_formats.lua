-- What sharetable shares becomes bson and sproto as the tables it was made of.
local skynet = require "skynet"
require "skynet.manager"
local bson = require "bson"
local sharetable = require "skynet.sharetable"
local sproto = require "sproto"

local function show(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local list = {}
  for key, inner in pairs(value) do
    list[#list + 1] = ("%s=%s"):format(key, show(inner))
  end
  table.sort(list)
  return "{" .. table.concat(list, " ") .. "}"
end

local function text(ok, message)
  return ok, (tostring(message):gsub("^.*:%d+: ", ""))
end

skynet.start(function()
  sharetable.loadtable("t", {
    map = { a = 1, b = "x", sub = { c = 2 } },
    list = { 1, "two", { three = 3 } },
    gap = { [5] = "five" },
    empty = {},
    rows = { { id = 7, name = "seven" }, { id = 8, name = "eight" } },
    known = { [7] = { id = 7, name = "seven" } },
  })
  local t = sharetable.query "t"
  for _, name in ipairs { "map", "list", "empty", "rows" } do
    print(name, show(bson.decode(bson.encode { v = t[name] })), show(bson.decode(bson.encode_order("v", t[name]))))
  end
  print("top", show(bson.decode(bson.encode(t.map))))
  print("gap", text(pcall(bson.encode, { v = t.gap })))

  local schema = sproto.parse [[
    .sub { c 0 : integer }
    .map { a 0 : integer b 1 : string sub 2 : sub }
    .row { id 0 : integer name 1 : string }
    .all { map 0 : map rows 1 : *row known 2 : *row(id) }
  ]]
  print("sproto", show(schema:decode("all", schema:encode("all", t))))
  skynet.abort()
end)
