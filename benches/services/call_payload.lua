-- call with a nested table of about 1 KiB when packed; the echo packs it again
local skynet = require "skynet"
local bench = require "bench"

local function payload()
  local items = {}
  for i = 1, 20 do
    items[i] = { id = 100000 + i, count = i, name = "item-" .. i, rate = i / 7 }
  end
  return {
    uid = 1234567890123, name = "a player of some name", level = 57, vip = true,
    pos = { x = 1.5, y = -2.25, z = 100.125 }, items = items,
    tags = { "alpha", "beta", "gamma", "delta" },
  }
end

bench.main(function()
  local n = bench.param("bench_n", 50000)
  local echo = skynet.newservice "echo"
  local p = payload()
  local size = #skynet.packstring("update", p)
  local r = select(2, skynet.call(echo, "lua", "update", p))
  assert(r.items[20].name == "item-20" and r.pos.y == -2.25)
  local t = bench.now()
  for _ = 1, n do
    skynet.call(echo, "lua", "update", p)
  end
  t = bench.now() - t
  bench.report("call_payload", n // t | 0, "calls/s",
    string.format("n=%d seconds=%.3f packed_bytes=%d", n, t, size))
end)
