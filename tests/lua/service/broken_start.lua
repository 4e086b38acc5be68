-- Helper: raises in its start function, at once or after a wait.
local skynet = require "skynet"

local when = ...
skynet.start(function()
  if when == "later" then
    skynet.sleep(1)
  end
  error "from the start function"
end)
