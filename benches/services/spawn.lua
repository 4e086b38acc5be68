-- 2000 trivial services one after another; then the memory each one costs
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n = bench.param("bench_n", 2000)
  for _ = 1, 50 do
    skynet.newservice "nop"
  end
  local before = bench.rss_kib()
  local t = bench.now()
  for _ = 1, n do
    skynet.newservice "nop"
  end
  t = bench.now() - t
  local after = bench.rss_kib()
  bench.rate("spawn", n, t, "services/s")
  bench.report("spawn_rss", (after - before) / n, "KiB/service",
    string.format("start_kib=%d end_kib=%d", before, after))
end)
