-- Endless loops in metamethods and in the order function of a sort.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local function loop() while true do end end
  local odd = setmetatable({}, { __index = loop, __lt = loop, __concat = loop })
  pcall(function() return odd.x end)
  pcall(function() return odd < odd end)
  pcall(function() return odd .. odd end)
  table.sort({ 3, 2, 1 }, loop)
end)
