-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- A service stuck in one message for two checks of the watchdog (5 s apart) is logged and flagged; takes 13 s.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  print("before", skynet.endless())
  local stop = os.time() + 12
  repeat until os.time() > stop
  print("flagged", skynet.endless())
  print("read once", skynet.endless())
  local text = skynet.call(".logger", "lua", "take", "maybe in an endless loop")
  print(text:match "A message from %[ :%x+ %] to %[ :%x+ %] maybe in an endless loop %(version = %d+%)$" ~= nil)
  skynet.abort()
end)
