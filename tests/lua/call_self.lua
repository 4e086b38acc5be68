-- A service can call itself, recursively too, because a waiting caller does not hold the service.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("lua", function(_, _, n)
    if n > 1 then
      skynet.retpack(n * skynet.call(self, "lua", n - 1))
    else
      skynet.retpack(n)
    end
  end)
  print(skynet.call(self, "lua", 10))
  print(skynet.call(skynet.address(self), "lua", 5))
  skynet.abort()
end)
