-- Closures with upvalues of their own are made without end.
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local all = {}
  while true do
    local a, b, c, d = {}, {}, {}, {}
    all[#all + 1] = function() return a, b, c, d end
  end
end)
