-- Starts a hostile service and does not wait for it.
local skynet = require "skynet"
require "skynet.manager"

local name = ...

skynet.start(function()
  skynet.launch("snlua", name)
  skynet.exit()
end)
