-- server half of bridge_requests: answers at once, or holds the request
local skynet = require "skynet"
local bridge = require "bridge"
local bench = require "bench"

skynet.start(function()
  local held = 0
  local link = bridge.open {
    redis = { host = "127.0.0.1", port = bench.param("bench_redis", 18720) },
    own = "d", peer = "f", sweep = 0,
  }
  link:handle("req_ping", function(_, fields)
    return { n = fields.n, gold = 0 }
  end)
  link:handle("req_hold", function()
    held = held + 1
    skynet.wait()
  end)
  link:handle("req_rss", function()
    collectgarbage()
    return { rss = bench.rss_kib(), held = held }
  end)
  link:handle("quit", function()
    skynet.abort()
  end)
  print "READY"
end)
