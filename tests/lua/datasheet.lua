-- skynet.datasheet shares compact read-only tables that update in place; floats are 32 bit, keys strings or an array.
local skynet = require "skynet"
require "skynet.manager"
local builder = require "skynet.datasheet.builder"
local datasheet = require "skynet.datasheet"

local function keys(t)
  local list = {}
  for key, value in pairs(t) do
    list[#list + 1] = ("%s=%s"):format(key, type(value) == "table" and "table" or value)
  end
  table.sort(list)
  return table.concat(list, " ")
end

skynet.start(function()
  builder.new("sheet", { 1, 2, 3, name = "sheet", half = 0.5, flag = true, sub = { x = 1, y = { "deep" } } })
  local sheet = datasheet.query "sheet"
  print(sheet[1], sheet[3], #sheet, sheet.name, sheet.half, sheet.flag, sheet.sub.x, sheet.sub.y[1], sheet.nothing)
  print(keys(sheet))
  print(keys(sheet.sub))
  print("same", datasheet.query "sheet" == sheet)

  local sub = sheet.sub
  builder.update("sheet", { 1, name = "second", sub = { x = 2, y = { "deeper" } } })
  skynet.sleep(5)
  print(sheet.name, sheet.half, #sheet, sheet.sub.x, sub.x, sub.y[1])

  builder.new("compiled", builder.compile { a = { b = "c" } })
  print(datasheet.query("compiled").a.b)
  print("float", 0.1 == (function()
    builder.new("float", { 0.1 })
    return datasheet.query("float")[1]
  end)())
  print("function", (pcall(builder.new, "function", { print })))
  print("hole", (pcall(builder.new, "hole", { [1] = 1, [5] = 5 })))
  print("twice", (pcall(builder.new, "sheet", {})))
  print("update unknown", (pcall(builder.update, "nosuch", {})))
  print("query unknown", (pcall(datasheet.query, "nosuch")))
  skynet.abort()
end)
