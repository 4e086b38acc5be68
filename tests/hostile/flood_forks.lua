-- Threads are forked without end.
-- expect: too many coroutines: the limit is 1000 (sandbox.toml: coroutines)
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  while true do
    skynet.fork(skynet.wait)
  end
end)
