-- 50 coroutines of one service giving way to each other with skynet.yield
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n, co = bench.param("bench_n", 500000), 50
  local per = n // co
  local t = bench.now()
  bench.parallel(co, function()
    for _ = 1, per do
      skynet.yield()
    end
  end)
  bench.rate("yield", per * co, bench.now() - t, "yields/s")
end)
