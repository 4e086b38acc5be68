-- one coroutine calling one echo service
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n = bench.param("bench_n", 300000)
  local echo = skynet.newservice "echo"
  for i = 1, 1000 do
    assert(skynet.call(echo, "lua", "ping", i) == "ping")
  end
  local t = bench.now()
  for i = 1, n do
    skynet.call(echo, "lua", "ping", i)
  end
  bench.rate("call_pingpong", n, bench.now() - t, "calls/s")
end)
