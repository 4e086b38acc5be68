-- "add" n: no reply; "get": reply the sum
local skynet = require "skynet"

local sum = 0
skynet.start(function()
  skynet.dispatch("lua", function(_, _, cmd, n)
    if cmd == "add" then
      sum = sum + n
    else
      skynet.retpack(sum)
    end
  end)
end)
