-- Helpers shared by the bench services: clock, RSS, statistics, reporting.
local skynet = require "skynet"
require "skynet.manager"  -- skynet.abort

local bench = {}

function bench.now()  -- seconds, monotonic
  return skynet.hpc() / 1e9
end

function bench.rss_kib()
  local f = assert(io.open("/proc/self/statm"))
  local resident = tonumber(f:read("a"):match("^%d+%s+(%d+)"))
  f:close()
  return resident * 4
end

function bench.param(name, default)  -- override any size from the config file
  return math.tointeger(skynet.getenv(name)) or default
end

local function fmt(v)
  return math.type(v) == "integer" and tostring(v) or string.format("%.3f", v)
end

function bench.report(name, value, unit, extra)
  io.stdout:write(string.format("BENCH name=%s value=%s unit=%s%s\n",
    name, fmt(value), unit, extra and " " .. extra or ""))
  io.stdout:flush()
end

function bench.rate(name, n, seconds, unit)
  bench.report(name, n // seconds | 0, unit, string.format("n=%d seconds=%.3f", n, seconds))
end

function bench.percentile(list, p)  -- sorts in place
  table.sort(list)
  return list[math.max(1, math.ceil(#list * p / 100))]
end

-- run f(1..n) in n coroutines of this service, return when all are done
function bench.parallel(n, f)
  local left, main = n, coroutine.running()
  for i = 1, n do
    skynet.fork(function()
      f(i)
      left = left - 1
      if left == 0 then
        skynet.wakeup(main)
      end
    end)
  end
  skynet.wait(main)
end

-- main body: runs after the service is up, and ends the process
function bench.main(f)
  skynet.start(function()
    skynet.fork(function()
      local ok, err = xpcall(f, debug.traceback)
      if not ok then
        io.stdout:write("BENCH-FAILED ", tostring(err), "\n")
        io.stdout:flush()
      end
      skynet.abort()
    end)
  end)
end

return bench
