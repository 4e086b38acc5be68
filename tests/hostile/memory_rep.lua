-- One call asks for a gigabyte.
-- expect: not enough memory
local skynet = require "skynet"

skynet.start(function()
  return ("x"):rep(1 << 30)
end)
