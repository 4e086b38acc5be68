-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- A queue that grows past 1024 messages, and past each doubling, is told in the log once.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.dispatch("lua", function() end)
  local function flood(n)
    for _ = 1, n do
      skynet.send(skynet.self(), "lua")
    end
    skynet.sleep(0)
    return skynet.call(".logger", "lua", "count", "May overload, message queue length = %d+")
  end
  print("1000 messages", flood(1000))
  print("1500 messages", flood(1500))
  local text, source = skynet.call(".logger", "lua", "take", "May overload, message queue length = %d+")
  print(math.tointeger(text:match "length = (%d+)$") > 1024, source == skynet.self())
  print("500 messages", flood(500))
  skynet.abort()
end)
