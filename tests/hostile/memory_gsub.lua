-- A library function makes a large text out of a small one.
-- expect: not enough memory
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  return (("x"):rep(1 << 20):gsub("x", ("y"):rep(1 << 10)))
end)
