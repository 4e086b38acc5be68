-- The error object of the service loops when it is made a text.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  error(setmetatable({}, { __tostring = function() while true do end end }))
end)
