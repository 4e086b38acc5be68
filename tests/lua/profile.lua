-- skynet.profile measures the CPU seconds of one coroutine without the time it waits; start and stop come in pairs.
local skynet = require "skynet"
require "skynet.manager"
local profile = require "skynet.profile"

local function text(ok, message)
  return ok, (tostring(message):gsub("^.*:%d+: ", ""):gsub("0x%x+", "POINTER"))
end

local function work()
  local stop = os.clock() + 0.05
  local n = 0
  repeat
    n = n + 1
  until os.clock() > stop
end

skynet.start(function()
  print(text(pcall(profile.stop)))
  profile.start()
  print(text(pcall(profile.start)))
  local seconds = profile.stop()
  print(math.type(seconds), seconds >= 0, seconds < 1)
  print(text(pcall(profile.stop)))

  profile.start()
  skynet.sleep(20)
  seconds = profile.stop()
  print("waiting costs nothing", seconds < 0.1)

  profile.start()
  work()
  skynet.sleep(5)
  work()
  seconds = profile.stop()
  print("work counts", seconds > 0.02)

  -- Another coroutine can be named.
  local other = skynet.fork(function()
    skynet.wait()
    work()
    skynet.wait()
  end)
  skynet.yield()
  profile.start(other)
  skynet.wakeup(other)
  skynet.yield()
  print("of another", profile.stop(other) > 0)
  print("not a thread", pcall(profile.start, 1) == false, pcall(profile.stop, {}) == false)
  skynet.abort()
end)
