-- Takes one message and does not come back to the next ones for a while.
local skynet = require "skynet"

skynet.start(function()
  skynet.dispatch("lua", function()
    local stop = skynet.hpc() + 100000000
    repeat until skynet.hpc() > stop
    skynet.exit()
  end)
end)
