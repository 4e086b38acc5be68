-- Ends the node.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.abort()
end)
