-- config: profile = false
-- With profile = false CPU time is not counted: stat tells zero.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local stop = os.clock() + 0.02
  repeat until os.clock() > stop
  skynet.yield()
  print(skynet.stat "cpu", skynet.stat "time", skynet.stat "message" > 0, skynet.getenv "profile")
  skynet.abort()
end)
