-- Outside a coroutine (in the main chunk) nothing that waits works, while sends and timers made there arrive later.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, (tostring(message):gsub("^.*:%d+: ", "")))
end

print("main thread", select(2, coroutine.running()), coroutine.isyieldable())
try("call", skynet.call, ".launcher", "lua", "LIST")
try("sleep", skynet.sleep, 1, "sleep token")
try("wait", skynet.wait, "wait token")
try("newservice", skynet.newservice, "peer")

skynet.dispatch("lua", function(_, _, what)
  print("message", what)
end)
skynet.dispatch_unknown_response(function() end)
print("send", skynet.send(skynet.self(), "lua", "sent from the main chunk"))
skynet.fork(print, "forked from the main chunk")
skynet.start(function()
  print("start", select(2, coroutine.running()), coroutine.isyieldable())
  skynet.sleep(5)
  skynet.abort()
end)
print "main chunk ends"
