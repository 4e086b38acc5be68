-- Helper: tells the value of a global of its own.
local skynet = require "skynet"

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name)
    skynet.retpack(_G[name])
  end)
end)
