-- A handler that waits does not block the service: later requests run meanwhile and may answer first.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  local left = 3
  for name, delay in pairs { slow = 30, middle = 15, quick = 0 } do
    skynet.fork(function()
      print(skynet.call(peer, "lua", "sleep", delay, name))
      left = left - 1
    end)
  end
  while left > 0 do
    skynet.sleep(1)
  end
  skynet.abort()
end)
