-- skynet.sharemap shares one structured table: the writer commits versions, a reader updates when it likes.
local skynet = require "skynet"
require "skynet.manager"
local sharemap = require "skynet.sharemap"

skynet.start(function()
  sharemap.register "tests/lua/modules/sharemap.sproto"
  local writer = sharemap.writer("player", { name = "Ann", level = 1, items = { "sword" } })
  local reader = sharemap.reader("player", writer:copy())
  print(reader.name, reader.level, #reader.items, reader.items[1])
  print("nothing new", reader:update())

  writer.level = 2
  writer.items[2] = "shield"
  print("not committed", reader.level, reader:update())
  writer:commit()
  print("before update", reader.level)
  print("update", (reader:update()), reader.level, #reader.items, reader.items[2])
  print("nothing new", reader:update())

  print("write to a reader", (pcall(function() reader.fresh = 1 end)))
  print("another reader", sharemap.reader("player", writer:copy()).level)
  skynet.abort()
end)
