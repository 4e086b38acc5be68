-- 2,000 services read one table of 50 MB (as Lua holds it) while it is replaced: what a reader costs
-- in memory, how long a call to one takes meanwhile, and how long until all show the new version.
local skynet = require "skynet"
local bench = require "bench"
local sharetable = require "skynet.sharetable"

local rows = bench.param("bench_rows", 170000)
local role = ...

-- Rows of a game's table of items; a version has its number in each.
local source = [[
  local rows, version = ...
  local items = {}
  for id = 1, rows do
    items[id] = { id = id, name = "item " .. id, price = id % 1000 + version, kind = id % 7 }
  end
  return { version = version, items = items }
]]

if role == "reader" then
  local shared
  local seed = skynet.self()
  local commands = {}

  function commands.query()
    shared = sharetable.query "items"
    return shared.version
  end

  -- A hundred rows anywhere in the table.
  function commands.read()
    local sum = 0
    for _ = 1, 100 do
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      local row = shared.items[seed % rows + 1]
      sum = sum + row.price + #row.name
    end
    return sum
  end

  function commands.update()
    sharetable.update "items"
    return shared.version
  end

  skynet.start(function()
    skynet.dispatch("lua", function(_, _, command)
      skynet.retpack(commands[command]())
    end)
  end)
  return
elseif role == "writer" then
  skynet.start(function()
    skynet.dispatch("lua", function(_, _, version)
      sharetable.loadstring("items", source, rows, version)
      skynet.retpack(true)
    end)
  end)
  return
end

bench.main(function()
  local n = bench.param("bench_n", 2000)
  local rounds = bench.param("bench_rounds", 5)
  local writer = skynet.newservice(SERVICE_NAME, "writer")
  skynet.call(writer, "lua", 1)
  local readers = {}
  for i = 1, n do
    readers[i] = skynet.newservice(SERVICE_NAME, "reader")
  end
  local before = bench.rss_kib()
  bench.parallel(n, function(i)
    skynet.call(readers[i], "lua", "query")
    skynet.call(readers[i], "lua", "read")
  end)
  local after = bench.rss_kib()
  bench.report("shared_table_reader", (after - before) / n, "KiB/service",
    ("services=%d rss=%d MiB"):format(n, after // 1024))

  local reads = 0
  local start = bench.now()
  repeat
    skynet.call(readers[reads % n + 1], "lua", "read")
    reads = reads + 1
  until bench.now() - start > 1
  bench.report("shared_table_rows", math.floor(reads * 100 / (bench.now() - start)), "rows/s")

  local took, updates, done = {}, {}, false
  skynet.fork(function()
    for version = 2, rounds + 1 do
      local begun = bench.now()
      skynet.call(writer, "lua", version)
      bench.parallel(n, function(i)
        assert(skynet.call(readers[i], "lua", "update") == version)
      end)
      updates[#updates + 1] = (bench.now() - begun) * 1e3
    end
    done = true
  end)
  local at = 0
  while not done do
    at = at % n + 1
    local begun = bench.now()
    skynet.call(readers[at], "lua", "read")
    took[#took + 1] = bench.now() - begun
  end
  local p99 = bench.percentile(took, 99)
  bench.report("shared_table_p99", p99 * 1e6, "us",
    ("calls=%d p50_us=%.1f max_ms=%.1f"):format(#took, took[#took // 2 + 1] * 1e6, took[#took] * 1e3))
  bench.report("shared_table_update", bench.percentile(updates, 50), "ms",
    ("rss=%d MiB"):format(bench.rss_kib() // 1024))
end)
