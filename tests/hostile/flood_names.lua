-- Messages to global names that nobody has, each another one.
-- expect: the flood of names has ended
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local text = ("x"):rep(1 << 20)
  local number = 0
  repeat
    number = number + 1
  until skynet.send("n" .. number, "lua", text) == false
  skynet.error("the flood of names has ended", number)
end)
