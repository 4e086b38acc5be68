-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- Yielding with skynet.coroutine outside of its resume, or with plain coroutine.yield, ends in a logged error.
local skynet = require "skynet"
require "skynet.manager"
local co = require "skynet.coroutine"

skynet.start(function()
  skynet.fork(function()
    co.yield "value"
    print "this must not print"
  end)
  skynet.yield()
  local text = skynet.call(".logger", "lua", "take", "Call skynet.coroutine")
  print(text:match "Call skynet%.coroutine%.yield out of skynet%.coroutine%.resume")

  skynet.fork(function()
    coroutine.yield "SOMETHING"
    print "this must not print"
  end)
  skynet.yield()
  text = skynet.call(".logger", "lua", "take", "Unknown command")
  print(text:match "Unknown command : SOMETHING")
  skynet.abort()
end)
