-- Helper: says that it starts, takes its time, and fails when told "bad".
local skynet = require "skynet"

local name = ...
skynet.start(function()
  print("starting", SERVICE_NAME, name)
  skynet.sleep(3)
  if name == "bad" then
    error "cannot start"
  end
  skynet.dispatch("lua", function(_, _, ...)
    skynet.retpack(...)
  end)
end)
