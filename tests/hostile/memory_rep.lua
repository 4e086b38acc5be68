-- One call asks for a terabyte.
-- expect: not enough memory
local skynet = require "skynet"

skynet.start(function()
  return ("x"):rep(1 << 40)
end)
