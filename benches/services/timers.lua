-- 100k skynet.timeout of random 1..200 centiseconds; all must fire. Lateness is measured
-- against the clock, over the timers that fell due after the creating loop had ended.
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n = bench.param("bench_n", 100000)
  math.randomseed(20240229)
  local due, fired, main = {}, {}, coroutine.running()
  local count = 0
  local t0 = bench.now()
  for i = 1, n do
    local ti = math.random(1, 200)
    due[i] = bench.now() + ti / 100
    skynet.timeout(ti, function()
      fired[i] = bench.now()
      count = count + 1
      if count == n then
        skynet.wakeup(main)
      end
    end)
  end
  local t1 = bench.now()
  skynet.wait(main)
  local t2 = bench.now()
  local late = {}
  for i = 1, n do
    if due[i] > t1 then
      late[#late + 1] = assert(fired[i]) - due[i]
    end
  end
  bench.rate("timers_create", n, t1 - t0, "timers/s")
  local p50, p99 = bench.percentile(late, 50), bench.percentile(late, 99)
  bench.report("timers_lateness_p99", p99 * 1000, "ms", string.format(
    "fired=%d total_s=%.3f measured=%d min_ms=%.3f p50_ms=%.3f max_ms=%.3f",
    count, t2 - t0, #late, late[1] * 1000, p50 * 1000, late[#late] * 1000))
end)
