-- RSS of a node that runs only its own services and this one
local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
  skynet.sleep(50)
  bench.report("rss_start", bench.rss_kib(), "KiB")
end)
