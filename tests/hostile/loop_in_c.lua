-- The interrupt is caught by a C function that then ends; later messages are not interrupted.
-- expect: running for long:
-- expect: the message after the loop ran to its end
local skynet = require "skynet"

local function loop() while true do end end

skynet.start(function()
  for _ = 1, 3 do
    skynet.fork(pcall, loop)
  end
  skynet.timeout(60, function()
    local sum = 0
    for i = 1, 100000 do sum = sum + i end
    skynet.error("the message after the loop ran to its end", sum)
  end)
end)
