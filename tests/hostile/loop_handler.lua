-- An endless loop in the message handler of the error that interrupts it.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local function loop() while true do end end
  while true do
    xpcall(loop, loop)
  end
end)
