-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- memlimit, called once in the main chunk, caps a service's memory: beyond it an allocation raises, no more.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local service = skynet.newservice "memory_limit"
  print((skynet.call(".logger", "lua", "take", "^Set memory limit")))
  print("usable once", skynet.call(service, "lua", "once"))
  print("below", skynet.call(service, "lua", "little"))
  print("beyond", skynet.call(service, "lua", "too much"))
  print("unprotected", (pcall(skynet.call, service, "lua", "unprotected")))
  print("still below", skynet.call(service, "lua", "little"))

  -- A service without a limit is warned about at 32 MB and each doubling.
  local text = ("x"):rep(40 * 1024 * 1024)
  local warning, source = skynet.call(".logger", "lua", "take", "^Memory warning")
  print(warning:match "^Memory warning %d+%.%d%d M$" ~= nil, source == skynet.self(), #text)
  skynet.abort()
end)
