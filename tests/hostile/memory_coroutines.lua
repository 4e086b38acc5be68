-- Coroutines are made without end.
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local all = {}
  while true do
    local co = coroutine.create(function()
      local kept = ("x"):rep(100000)
      coroutine.yield()
      return kept
    end)
    assert(coroutine.resume(co))
    all[#all + 1] = co
  end
end)
