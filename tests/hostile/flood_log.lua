-- Lines are logged without end, long ones as well.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local text = ("x"):rep(1 << 20)
  while true do
    for _ = 1, 1000 do skynet.error "x" end
    skynet.error(text)
  end
end)
