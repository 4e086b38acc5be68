-- sharedata refuses functions, threads and odd keys, wherever in the table they are.
local skynet = require "skynet"
require "skynet.manager"
local sharedata = require "skynet.sharedata"

skynet.start(function()
  local function try(what, value)
    print(what, (pcall(sharedata.new, what, value)))
  end
  try("syntax error", "this is no Lua")
  try("runtime error", "error 'x'")
  try("function inside", "f = function() end")
  try("boolean key", "return { [true] = 1 }")
  try("float key", "return { [1.5] = 1 }")
  try("missing file", "@tests/lua/no_such_file.lua")
  try("number", 12)
  try("empty", {})
  print(next(sharedata.deepcopy "empty"), #sharedata.query "empty", sharedata.query("empty").x)
  skynet.abort()
end)
