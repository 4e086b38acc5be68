-- Structures of sproto to bytes and back: every kind, defaults, what is refused.
-- config: lua_path = lua_path .. ";./tests/lua/modules/?.lua"
local skynet = require "skynet"
require "skynet.manager"
local sproto = require "sproto"
local core = require "sproto.core"
local people = require "people"

local function show(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local keys = {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for at, key in ipairs(keys) do
    keys[at] = ("%s = %s"):format(key, show(value[key]))
  end
  return "{" .. table.concat(keys, ", ") .. "}"
end

--- Calls, and says the error without the place in the library.
local function failing(f, ...)
  local ok, why = pcall(f, ...)
  return ok, (tostring(why):gsub("^[^:]+:%d+: ", ""))
end

skynet.start(function()
  local book = sproto.parse(people.people)
  local value = {
    person = {
      [10000] = { name = "Alice", id = 10000, phone = { { number = "123456789", type = 1 }, { number = "87654321", type = 2 } } },
      [20000] = { name = "Bob", id = 20000, phone = { { number = "01234567890", type = 3 } } },
    },
    others = { { name = "Carol" } },
  }
  print(show(book:decode("AddressBook", book:encode("AddressBook", value))))
  print(show(book:pdecode("AddressBook", book:pencode("AddressBook", value))))
  print(select(2, book:decode("Person", book:encode("Person", { id = 1 }) .. "more")))
  print(show(book:default "Person"), show(book:default "AddressBook"))
  print(book:exist_type "Person", book:exist_type "Nobody", book:exist_proto "get")
  print(failing(book.encode, book, "Nobody", {}))
  print(failing(book.decode, book, "Nobody", ""))

  local data = sproto.parse(people.data)
  local function back(of)
    print(show((data:decode("Data", data:encode("Data", of)))))
  end
  back {}
  back { numbers = { 1, 2, 3, 4, 5 } }
  back { numbers = { (1 << 32) + 1, (1 << 32) + 2, -3 } }
  back { bools = { false, true, false } }
  back { number = 100000, bignumber = -10000000000 }
  back { fpn = 1.82, fpns = { 1.8231, -0.5, 3 } }
  back { flag = false, other = { text = "" }, list = { {}, { text = "x" } }, texts = { "", "a" } }
  back { numbers = {}, bools = {}, list = {}, texts = {} }
  print(show(data:default "Data"))

  local function refused(of)
    local ok, why = pcall(data.encode, data, "Data", of)
    print(ok, (why:gsub("^.*%f[.*]%.", ".", 1)))
  end
  refused { number = "x" }
  refused { number = 1.5 }
  refused { numbers = { 1, {} } }
  refused { flag = 1 }
  refused { bools = { true, "no" } }
  refused { other = 1 }
  refused { texts = { {} } }
  print(failing(data.encode, data, "Data", 5))

  for _, bytes in ipairs { "", "\1", "\1\0", "\1\0\0\0", "\1\0\0\0\9\0\0\0x", "\3\0\5\0\0\0\1\0\0\0x" } do
    print(failing(data.decode, data, "Data", bytes))
  end
  print(failing(core.decode, core.querytype(data.__cobj, "Data"), 5))
  print(failing(core.unpack, "\255"))
  print(#core.unpack "\0\0\1x", core.pack "", core.unpack "" == "")
  local deep = {}
  deep.left = deep
  local tree = sproto.parse ".Tree { left 0 : Tree }"
  print(failing(tree.encode, tree, "Tree", deep))
  local large = sproto.parse(people.data)
  print(failing(large.encode, large, "Data", { texts = { ("x"):rep(1 << 24) } }))

  -- Into a table that is given.
  local into = { number = 1, flag = true }
  local got = core.decode(core.querytype(data.__cobj, "Data"), data:encode("Data", { number = 7 }), into)
  print(got == into, show(into))
  -- Metamethods of the source count.
  print(show((data:decode("Data", data:encode("Data", setmetatable({ number = 3 }, { __index = { flag = true, numbers = { 1 } } }))))))
  skynet.abort()
end)
