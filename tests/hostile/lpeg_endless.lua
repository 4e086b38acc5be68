-- A pattern that takes for ever: twice as long with each byte.
-- expect: message interrupted
local skynet = require "skynet"
local lpeg = require "lpeg"

skynet.start(function()
  lpeg.match(lpeg.P { "a" * lpeg.V(1) * "b" + "a" * lpeg.V(1) * "c" + "a" }, ("a"):rep(60))
end)
