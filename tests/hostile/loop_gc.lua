-- An endless loop in a finalizer, where Lua calls no hooks.
-- expect: error in __gc metamethod
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  setmetatable({}, { __gc = function() while true do end end })
  collectgarbage()
end)
