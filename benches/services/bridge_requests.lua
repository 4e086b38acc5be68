-- client half: requests with answers over one redis-server, both nodes beside it; then at half of the wanted rate, for
-- how long each takes; then with an open session for each of 100,000 players, for the memory of both nodes
local skynet = require "skynet"
local bridge = require "bridge"
local bench = require "bench"

-- Requests that wait for their answer at the same time.
local CONCURRENT = 256

-- Half of the 20,000 requests a second that are wanted.
local PACE = 10000

bench.main(function()
  local link = bridge.open {
    redis = { host = "127.0.0.1", port = bench.param("bench_redis", 18720) },
    own = "f", peer = "d", timeout = 60, sweep = 0,
  }
  repeat
    local answer = link:request(1, "req_ping", { n = 1 }, 1)
  until answer

  local n = bench.param("bench_n", 200000)
  local start = bench.now()
  bench.parallel(CONCURRENT, function(first)
    for i = first, n, CONCURRENT do
      local answer = assert(link:request(10000 + i % 1000, "req_ping", { gold = 0, n = i }))
      assert(answer.n == tostring(i))
    end
  end)
  bench.rate("bridge_requests", n, bench.now() - start, "requests/s")

  local took, waiting = {}, 0
  local main = coroutine.running()
  start = bench.now()
  local sent, seconds = 0, bench.param("bench_seconds", 5)
  while bench.now() - start < seconds do
    local due = (bench.now() - start) * PACE // 1 | 0
    while sent < due do
      sent, waiting = sent + 1, waiting + 1
      skynet.fork(function()
        local t = bench.now()
        assert(link:request(10000 + sent % 1000, "req_ping", { n = 1 }))
        took[#took + 1] = (bench.now() - t) * 1e3
        waiting = waiting - 1
        if waiting == 0 and main == true then
          skynet.wakeup(took)
        end
      end)
    end
    skynet.sleep(1)
  end
  if waiting > 0 then
    main = true
    skynet.wait(took)
  end
  local extra = ("rate=%d"):format(sent // seconds)
  bench.report("bridge_requests_p99", bench.percentile(took, 99), "ms", extra)
  bench.report("bridge_requests_p50", bench.percentile(took, 50), "ms", extra)

  local players = bench.param("bench_players", 100000)
  collectgarbage()
  local before = bench.rss_kib()
  local theirs = tonumber(link:request(1, "req_rss").rss)
  for i = 1, players do
    skynet.fork(link.request, link, 100000 + i, "req_hold", { n = i })
    if i % 1000 == 0 then
      skynet.sleep(0)
    end
  end
  repeat
    local answer = link:request(1, "req_rss")
  until tonumber(answer.held) == players
  local rss = bench.rss_kib()
  bench.report("bridge_sessions_rss", (rss - before) / players, "KiB/session", ("open=%d mib=%d"):format(players, rss // 1024))
  local served = tonumber(link:request(1, "req_rss").rss)
  bench.report("bridge_serving_rss", (served - theirs) / players, "KiB/session", ("open=%d mib=%d"):format(players, served // 1024))
  link:send(1, "quit")
  skynet.sleep(20)
end)
