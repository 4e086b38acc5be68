-- Helper: takes `delay` centiseconds to start, then says so.
local skynet = require "skynet"

local name, delay = ...
skynet.start(function()
  skynet.sleep(tonumber(delay))
  print(name, "started")
  skynet.dispatch("lua", function(_, _, ...)
    skynet.retpack(name, ...)
  end)
end)
