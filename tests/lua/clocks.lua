-- now counts centiseconds since the start, starttime is whole seconds, time is their sum, hpc is monotonic nanoseconds.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  print(math.type(skynet.now()), math.type(skynet.starttime()), math.type(skynet.time()), math.type(skynet.hpc()))
  print("starttime", skynet.starttime() == skynet.starttime(), math.abs(os.time() - skynet.starttime()) < 60)
  print("now", skynet.now() >= 0, skynet.now() < 6000)
  local now = skynet.now()
  local sum = math.floor((skynet.time() - skynet.starttime()) * 100 + 0.5)
  print("time", sum >= now, sum < now + 100, math.abs(skynet.time() - os.time()) < 5)

  local begin, ticks = skynet.now(), skynet.hpc()
  skynet.sleep(10)
  local passed = skynet.now() - begin
  print("sleep 10", passed >= 9)
  local nanoseconds = skynet.hpc() - ticks
  print("hpc", nanoseconds > 20000000, math.abs(nanoseconds / 1e7 - passed) < 100)
  print("hpc moves", skynet.hpc() >= ticks)
  skynet.abort()
end)
