-- A function that calls itself without end.
-- expect: stack overflow
-- sandbox: memory = "256MiB"
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local function deeper() return 1 + deeper() end
  deeper()
end)
