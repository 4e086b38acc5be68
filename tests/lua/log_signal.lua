-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- The core command SIGNAL is logged by the service it reaches; signal 1 tells its memory.
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.core"

skynet.start(function()
  local peer = skynet.newservice "peer"
  core.command("SIGNAL", skynet.address(peer) .. " 1")
  local text, source = skynet.call(".logger", "lua", "take", "^recv a signal")
  print(text, source == peer)
  text, source = skynet.call(".logger", "lua", "take", "^Current Memory")
  print(text:match "^Current Memory %d+%.%d%d%dK$" ~= nil, source == peer)
  print("alive", skynet.call(peer, "lua", "echo", "yes"))
  skynet.abort()
end)
