-- a token passed round 1000 services, 300 laps
local skynet = require "skynet"
local bench = require "bench"

local size, laps = bench.param("bench_size", 1000), bench.param("bench_laps", 300)

bench.main(function()
  local node = {}
  for i = 1, size do
    node[i] = skynet.newservice "ring_node"
  end
  for i = 1, size do
    skynet.call(node[i], "lua", "link", node[i % size + 1])
  end
  local t = bench.now()
  skynet.call(node[1], "lua", "start", size * laps)
  bench.rate("ring", size * laps, bench.now() - t, "hops/s")
end)
