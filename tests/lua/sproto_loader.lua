-- Schemas that all services share.
-- config: lua_path = lua_path .. ";./tests/lua/modules/?.lua"
local skynet = require "skynet"
require "skynet.manager"
local core = require "sproto.core"
local loader = require "sprotoloader"
local parser = require "sprotoparser"
local people = require "people"

--- Calls, and says the error without the place in the library.
local function failing(f, ...)
  local ok, why = pcall(f, ...)
  return ok, (tostring(why):gsub("^[^:]+:%d+: ", ""))
end

skynet.start(function()
  print(failing(loader.load, 3))
  print(failing(loader.load, 16))
  print(failing(loader.load, -1))
  print(failing(loader.save, parser.parse(people.data), 16))
  print((pcall(loader.register, "./tests/lua/modules/no.such.file", 1)))
  loader.save(parser.parse(people.data), 0)
  loader.save(parser.parse(people.people), 15)
  loader.register("./tests/lua/modules/sharemap.sproto", 1)
  local reader = skynet.newservice "sproto_reader"
  local data = loader.load(0)
  local bytes = data:encode("Data", { number = 42, texts = { "from", "here" } })
  print(skynet.call(reader, "lua", 0, "Data", bytes))
  local person = loader.load(15):pencode("Person", { name = "Alice", id = 7 })
  print(skynet.call(reader, "lua", 15, "Person", (core.unpack(person))))
  print(loader.load(1):exist_type "nothing")
  -- Another schema in the slot is what is loaded from then on; who has the former one keeps it.
  loader.save(parser.parse ".Data { number 2 : integer extra 3 : string }", 0)
  print(data:decode("Data", bytes).texts[2], loader.load(0):decode("Data", bytes).texts)
  print(select("#", core.newproto "nonsense") > 0 and core.newproto "nonsense" or nil)
  parser.dump "0123456789abcdef, and three"
  parser.dump "sixteen bytes it"
  loader.save(parser.parse [[
    .Inner {}
    .All { i 0 : integer d 1 : *integer(3) b 2 : boolean s 3 : *string x 4 : binary t 5 : Inner }
    run 7 { request All response Inner }
    ping 8 {}
    save 9 { response nil }
  ]], 2)
  core.dumpproto(core.loadproto(2))
  skynet.abort()
end)
