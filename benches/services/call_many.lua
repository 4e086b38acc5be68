-- 8 client services x 8 echo services, 8 coroutines per client (one per echo)
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n, k = bench.param("bench_n", 640000), 8
  local echo, client = {}, {}
  for i = 1, k do
    echo[i] = skynet.newservice "echo"
  end
  for i = 1, k do
    client[i] = skynet.newservice "call_client"
  end
  local per = n // (k * k)
  local t = bench.now()
  bench.parallel(k, function(i)
    skynet.call(client[i], "lua", echo, per)
  end)
  bench.rate("call_many_8x8", per * k * k, bench.now() - t, "calls/s")
end)
