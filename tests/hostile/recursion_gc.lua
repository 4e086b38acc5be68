-- Finalizers that collect garbage in which there are more of them.
-- expect: the chain of finalizers has an end
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local function make(depth)
    if depth < 10000 then
      setmetatable({}, { __gc = function() make(depth + 1) collectgarbage() end })
    end
  end
  make(0)
  pcall(collectgarbage)
  skynet.error "the chain of finalizers has an end"
end)
