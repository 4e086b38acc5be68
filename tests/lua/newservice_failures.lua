-- newservice raises a bare `call failed` for whatever keeps a service from starting, and leaves nothing behind.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, ...)
  local ok, message = pcall(skynet.newservice, ...)
  print(what, ok, (tostring(message):gsub("^.*:%d+: ", "")))
end

local function count()
  local n = 0
  for _ in pairs(skynet.call(".launcher", "lua", "LIST")) do
    n = n + 1
  end
  return n
end

skynet.start(function()
  local before = count()
  try("missing file", "there_is_no_such_service")
  try("syntax error", "broken_syntax")
  try("main chunk raises", "broken_chunk")
  try("start function raises", "broken_start")
  try("start function raises later", "broken_start", "later")
  try("init function raises", "broken_init")
  print("services more", count() - before)

  -- launch does not wait for the Lua part, so it gives an address even for these.
  print("launch", math.type(skynet.launch("snlua", "there_is_no_such_service")))
  print("launch of no C service", select("#", skynet.launch "nosuch"))
  skynet.sleep(5)
  skynet.abort()
end)
