-- Time from the start of the process to the first line of the game's first service.
local skynet = require "skynet"
local bench = require "bench"

local uptime = io.open "/proc/uptime":read "n"
local ticks = io.open "/proc/self/stat":read "a":match "^%d+ %b() (.+)$"
local field = 3
for word in ticks:gmatch "%S+" do
  if field == 22 then
    bench.report("start_time", (uptime - tonumber(word) / 100) * 1000, "ms")
  end
  field = field + 1
end

bench.main(function() end)
