-- Each failure for lack of memory is caught, and the next one is tried.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  while true do
    pcall(string.rep, "x", 1 << 28)
  end
end)
