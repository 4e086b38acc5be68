-- on request, calls every given address `per` times, one coroutine per address
local skynet = require "skynet"
local bench = require "bench"

skynet.start(function()
  skynet.dispatch("lua", function(_, _, addr, per)
    bench.parallel(#addr, function(i)
      for j = 1, per do
        skynet.call(addr[i], "lua", "ping", j)
      end
    end)
    skynet.retpack(true)
  end)
end)
