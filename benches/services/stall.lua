-- Two services call each other while a third never returns: how long a call takes then.
-- A service of every node can do this to the others that share its workers.
local skynet = require "skynet"
local bench = require "bench"

if ... == "endless" then
  skynet.start(function()
    skynet.dispatch("lua", function()
      while true do
      end
    end)
  end)
  return
end

bench.main(function()
  local n = bench.param("bench_n", 100000)
  local echo = skynet.newservice "echo"
  local endless = skynet.newservice(SERVICE_NAME, "endless")
  skynet.call(echo, "lua", "ping", 0)
  skynet.send(endless, "lua")
  skynet.sleep(20)
  local took = {}
  local start = bench.now()
  for i = 1, n do
    local t = bench.now()
    skynet.call(echo, "lua", "ping", i)
    took[i] = bench.now() - t
    if took[i] > 1 or bench.now() - start > 10 then
      break
    end
  end
  local p99 = bench.percentile(took, 99)
  bench.report("stall_p99", p99 * 1e6, "us",
    ("calls=%d p50_us=%.2f max_us=%.1f"):format(#took, took[#took // 2 + 1] * 1e6, took[#took] * 1e6))
  -- The endless service keeps an orderly end from happening.
  os.exit(0, false)
end)
