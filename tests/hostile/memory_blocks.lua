-- Packed messages are kept, which the Lua heap does not hold.
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local text = ("x"):rep(1 << 20)
  local all = {}
  while true do
    all[#all + 1] = skynet.pack(text)
  end
end)
