-- Helper: raises in a function given to skynet.init.
local skynet = require "skynet"

skynet.init(function()
  error "from an init function"
end)
skynet.start(function()
  print "start function must not run"
end)
