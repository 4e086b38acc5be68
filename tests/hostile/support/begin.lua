-- The first service of the node.
local skynet = require "skynet"

skynet.start(function()
  skynet.newservice "console"
  skynet.newservice "support/neighbour"
  print "ready"
end)
