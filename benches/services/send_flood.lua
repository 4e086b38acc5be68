-- skynet.send of small messages to a counter service, then wait for its acknowledgement.
-- Sent in batches so that the queue stays bounded the same way on every node.
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  local n, batch = bench.param("bench_n", 1000000), bench.param("bench_batch", 10000)
  local counter = skynet.newservice "counter"
  skynet.call(counter, "lua", "get")
  local t = bench.now()
  for i = 1, n do
    skynet.send(counter, "lua", "add", 1)
    if i % batch == 0 then
      skynet.call(counter, "lua", "get")
    end
  end
  local total = skynet.call(counter, "lua", "get")
  t = bench.now() - t
  assert(total == n, total)
  bench.rate("send_flood", n, t, "msgs/s")
end)
