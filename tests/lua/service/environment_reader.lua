-- Helper: tells values of the environment.
local skynet = require "skynet"

skynet.start(function()
  skynet.dispatch("lua", function(_, _, key)
    skynet.retpack(skynet.getenv(key))
  end)
end)
