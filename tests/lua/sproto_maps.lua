-- since: 1.5
-- Maps and doubles of sproto.
local skynet = require "skynet"
require "skynet.manager"
local sproto = require "sproto"

--- Calls, and says the error without the place in the library.
local function failing(f, ...)
  local ok, why = pcall(f, ...)
  return ok, (tostring(why):gsub("^[^:]+:%d+: ", ""))
end

skynet.start(function()
  local object = sproto.parse [[
    .Pair { key 0 : string value 1 : integer }
    .Inner { name 2 : string values 5 : *double }
    .Deep { id 1 : integer inner 3 : Inner }
    .All { map 0 : *Pair() deep 1 : *Deep() d 2 : double ds 3 : *double byid 4 : *Deep(id) }
  ]]
  local function back(value)
    return (object:decode("All", object:encode("All", value)))
  end
  local value = back { map = { a = 1, b = 2 }, deep = { [5] = { name = "five", values = { 0.1, -1e300 } } } }
  print(value.map.a, value.map.b, value.deep[5].name, value.deep[5].values[1], value.deep[5].values[2])
  value = back { d = 0.1, ds = { 1, 2.5, 1 / 0 } }
  print(value.d, value.ds[1], value.ds[2], value.ds[3])
  print(next(back { map = {}, ds = {} }.map), #back { ds = {} }.ds)
  value = back { byid = { { id = 3, inner = { name = "three" } } } }
  print(value.byid[3].inner.name)
  local function hex(bytes)
    return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
  end
  print(hex(object:encode("All", { map = { one = 1 } })))
  print(hex(object:encode("All", { deep = { [2] = { name = "x" } } })))
  print(hex(object:encode("All", { d = -0.5, ds = { 1.5 } })))
  print(hex(require("sprotoparser").parse ".P { k 3 : integer v 1 : string } .M { m 0 : *P() }"))
  print(failing(sproto.parse, ".P { k 3 : integer } .M { m 0 : *P() }"))
  local bytes = object:encode("All", { byid = { { inner = {} } } })
  print(failing(object.decode, object, "All", bytes))
  local walked = setmetatable({}, {
    __pairs = function()
      return function(_, key)
        if not key then
          return "only", 77
        end
      end
    end,
  })
  print(back { map = walked }.map.only)
  skynet.abort()
end)
