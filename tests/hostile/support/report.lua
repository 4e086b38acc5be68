-- Prints how the neighbours fared; that this service starts at all shows that others do.
local skynet = require "skynet"

local name = ...

skynet.start(function()
  local p99, worst, count = skynet.call(".neighbour", "lua")
  print(("report %s p99 %d worst %d of %d"):format(name, p99, worst, count))
  skynet.exit()
end)
