-- The finalizer of an object makes more objects than memory holds.
-- expect: error in __gc metamethod
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local kept = {}
  setmetatable({}, { __gc = function()
    while true do kept[#kept + 1] = ("x"):rep(1 << 20) .. #kept end
  end })
  collectgarbage()
end)
