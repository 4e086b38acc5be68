-- one burst of skynet.send without any pause: the whole burst may queue up
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n = bench.param("bench_n", 1000000)
  local counter = skynet.newservice "counter"
  skynet.call(counter, "lua", "get")
  local t = bench.now()
  for _ = 1, n do
    skynet.send(counter, "lua", "add", 1)
  end
  local total = skynet.call(counter, "lua", "get")
  t = bench.now() - t
  assert(total == n, total)
  bench.rate("send_burst", n, t, "msgs/s")
end)
