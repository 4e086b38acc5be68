-- 100 coroutines of one service calling one echo service
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n, co = bench.param("bench_n", 400000), 100
  local echo = skynet.newservice "echo"
  local per = n // co
  local t = bench.now()
  bench.parallel(co, function()
    for i = 1, per do
      skynet.call(echo, "lua", "ping", i)
    end
  end)
  bench.rate("call_concurrent", per * co, bench.now() - t, "calls/s")
end)
