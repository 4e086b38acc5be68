-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- Launches, exits and kills are logged by the service concerned; failing starts are logged with the reason.
local skynet = require "skynet"
require "skynet.manager"

local function take(pattern)
  return skynet.call(".logger", "lua", "take", pattern)
end

skynet.start(function()
  local peer = skynet.newservice("peer", "a", "b")
  local text, source = take "^LAUNCH snlua peer"
  print(text, source == peer)
  pcall(skynet.call, peer, "lua", "exit")
  text, source = take "^KILL self"
  print(text, source == peer)

  peer = skynet.newservice "peer"
  skynet.kill(peer)
  text, source = take "^KILL :"
  print(text == ("KILL :%x"):format(peer), source == skynet.self())

  pcall(skynet.newservice, "there_is_no_such_service")
  text = take "^lua loader error"
  print(text:match "^lua loader error : ", text:match "cannot open tests/lua/there_is_no_such_service.lua")
  print(text:match "cannot open tests/lua/service/there_is_no_such_service.lua", text:find("\n\n", 1, true))
  pcall(skynet.newservice, "broken_syntax")
  text = take "^lua loader error"
  print(text:match "service/broken_syntax.lua:2: unexpected symbol near '='")
  pcall(skynet.newservice, "broken_chunk")
  print(take "^lua loader error":match "service/broken_chunk.lua:2: from the main chunk")
  pcall(skynet.newservice, "broken_start")
  text = take "^init service failed"
  print(text:match "^init service failed: ", text:match "stack traceback")
  print(text:match "service/broken_start.lua:%d+: from the start function")
  skynet.abort()
end)
