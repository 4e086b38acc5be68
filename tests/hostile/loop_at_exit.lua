-- Services that end have a finalizer that never does; more of them than the node has workers.
-- expect: running for long:
-- expect: all have ended
local skynet = require "skynet"
require "skynet.manager"

local kind = ...

skynet.start(function()
  if kind == "looper" then
    setmetatable({}, { __gc = function() while true do end end })
    skynet.exit()
  end
  for _ = 1, 4 do
    skynet.launch("snlua", "loop_at_exit", "looper")
  end
  skynet.sleep(30)
  -- Each worker that is free again answers.
  for _ = 1, 4 do
    skynet.newservice("support/idle")
  end
  skynet.error "all have ended"
end)
