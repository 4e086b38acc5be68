-- skynet.sharedata gives every service the same read-only table: indexing, length, pairs and copies work.
local skynet = require "skynet"
require "skynet.manager"
local sharedata = require "skynet.sharedata"

local function keys(t)
  local list = {}
  for key in pairs(t) do
    list[#list + 1] = tostring(key)
  end
  table.sort(list)
  return table.concat(list, " ")
end

skynet.start(function()
  sharedata.new("data", {
    "one", "two", "three",
    number = 12, float = 1.5, flag = true, off = false, text = "text",
    tree = { branch = { leaf = "green" }, list = { 10, 20 } },
    [-5] = "negative",
  })
  local data = sharedata.query "data"
  print(type(data), sharedata.query "data" == data)
  print(data[1], data[3], data[4], #data, data[-5])
  print(data.number, math.type(data.number), data.float, data.flag, data.off, data.text, data.nothing)
  print(data.tree.branch.leaf, #data.tree.list, data.tree.list[2], data.tree == data.tree)
  print(keys(data))
  print(keys(data.tree))
  local sum = 0
  for _, value in ipairs(data.tree.list) do
    sum = sum + value
  end
  print("ipairs", sum)

  local ok, message = pcall(function() data.number = 13 end)
  print(ok, (message:gsub("^.*:%d+: ", "")))
  ok, message = pcall(function() data.tree.branch.leaf = 1 end)
  print(ok, (message:gsub("^.*:%d+: ", "")))

  local copy = sharedata.deepcopy "data"
  copy.tree.branch.leaf = "red"
  print("copy", copy.tree.branch.leaf, data.tree.branch.leaf, getmetatable(copy))
  print("part", sharedata.deepcopy("data", "tree", "list")[1], sharedata.deepcopy("data", "tree", "branch", "leaf"))
  print("no part", sharedata.deepcopy("data", "tree", "nothing"))

  -- From Lua text, with arguments; its globals are the table.
  sharedata.new("text", "first = ...; nested = { x = first * 2 }", 21)
  print(sharedata.query("text").first, sharedata.query("text").nested.x)
  sharedata.new("returned", "return { value = 'returned' }")
  print(sharedata.query("returned").value)
  sharedata.new("file", "@tests/lua/modules/shared_table.lua", "argument")
  print(sharedata.query("file").from, sharedata.query("file").argument)

  print("other service", skynet.call(skynet.newservice "sharedata_reader", "lua", "data", "tree", "branch", "leaf"))
  skynet.abort()
end)
