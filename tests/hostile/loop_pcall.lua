-- An endless loop that catches whatever ends it.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  while true do
    pcall(function() while true do end end)
  end
end)
