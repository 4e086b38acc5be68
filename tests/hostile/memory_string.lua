-- A string doubles without end.
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local text = "x"
  while true do
    text = text .. text
  end
end)
