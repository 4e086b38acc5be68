-- Helper: exits, or kills itself, while it starts; `when` tells how.
local skynet = require "skynet"
require "skynet.manager"

local when = ...
skynet.start(function()
  if when == "after_sleep" then
    skynet.sleep(1)
  end
  if when == "kill" then
    skynet.kill(skynet.self())
  else
    skynet.exit()
  end
end)
