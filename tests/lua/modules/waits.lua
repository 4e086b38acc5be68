-- Helper module: waits while it loads and leaves work to skynet.init.
local skynet = require "skynet"

local M = { ready = false }
skynet.init(function()
  skynet.sleep(1)
  M.ready = true
end)
print "waits begins"
skynet.sleep(3)
print "waits ends"
return M
