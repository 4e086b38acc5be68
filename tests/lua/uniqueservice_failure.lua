-- A failure of uniqueservice is raised with the manager's text and remembered: later calls fail without another try.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, (tostring(message):gsub("^.*:%d+: ", "")))
end

skynet.start(function()
  skynet.fork(try, "concurrent unique", skynet.uniqueservice, "counted", "bad")
  skynet.fork(try, "concurrent query", skynet.queryservice, "counted")
  skynet.sleep(20)
  try("again", skynet.uniqueservice, "counted", "good")
  try("query", skynet.queryservice, "counted")
  try("missing file", skynet.uniqueservice, "there_is_no_such_service")
  try("missing file again", skynet.uniqueservice, "there_is_no_such_service")
  -- The global one is separate.
  try("global", skynet.uniqueservice, true, "there_is_no_such_service")
  skynet.abort()
end)
