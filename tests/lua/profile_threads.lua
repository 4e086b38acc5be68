-- since: 1.4
-- skynet.profile: resume and wrap measure a coroutine without the time it is suspended
local skynet = require "skynet"
local profile = require "skynet.profile"
require "skynet.manager"

-- Where an error happened, and which thread it was, differ.
local function plain(ok, text)
  return ok, (text:gsub("^[^ ]+:%d+: ", ""):gsub("0x%x+", "POINTER"))
end

local function work(count)
  local sum = 0
  for index = 1, count do
    sum = sum + index
  end
  return sum
end

skynet.start(function()
  local thread = coroutine.create(function(...)
    profile.start()
    work(1000)
    local more = coroutine.yield("first", ...)
    work(1000)
    return profile.stop(), more
  end)
  print(profile.resume(thread, 1, 2))
  skynet.sleep(20)
  local ok, seconds, more = profile.resume(thread, "more")
  print(ok, math.type(seconds), seconds >= 0 and seconds < 0.1, more)

  local wrapped = profile.wrap(function(first)
    local second = coroutine.yield(first)
    return second
  end)
  print(wrapped "a", wrapped "b")
  print("stop first", plain(pcall(profile.stop)))
  profile.start()
  print("twice", plain(pcall(profile.start)))
  print("stopped", math.type(profile.stop()))
  skynet.abort()
end)
