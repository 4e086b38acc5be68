-- Nothing of a service runs after skynet.exit: not the code behind it, nor its forks, timers and sleepers.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local service = skynet.newservice "exit_steps"
  print((pcall(skynet.call, service, "lua")))
  skynet.sleep(10)
  print("gone", (pcall(skynet.call, service, "lua")))
  skynet.abort()
end)
