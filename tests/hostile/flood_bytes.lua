-- Large messages to itself without end: few messages, much memory.
-- expect: more bytes than its memory limit (sandbox.toml: memory)
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local text = ("x"):rep(4 << 20)
  while skynet.send(skynet.self(), "lua", text) ~= false do end
  skynet.exit()
end)
