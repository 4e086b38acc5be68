-- A table grows without end.
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local all = {}
  while true do
    all[#all + 1] = { #all, #all, #all, #all }
  end
end)
