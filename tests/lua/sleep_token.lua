-- sleep and wait take any value as token; the coroutine is only the default, and a token serves one sleeper at a time.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local token = {}
  local sleeper = skynet.fork(function()
    print("by table", skynet.sleep(1000, token))
    print("by string", skynet.sleep(1000, "name"))
    print("by number", skynet.sleep(1000, 7))
    print("expired", skynet.sleep(1, token))
  end)
  skynet.yield()
  print("by coroutine", skynet.wakeup(sleeper))
  print("by another table", skynet.wakeup {})
  print(skynet.wakeup(token))
  skynet.yield()
  print(skynet.wakeup "name")
  skynet.yield()
  print(skynet.wakeup(7))
  skynet.sleep(5)
  print("after expiry", skynet.wakeup(token))

  local waiter = skynet.fork(function()
    skynet.wait "shared"
    print "first holder woken"
  end)
  skynet.yield()
  local ok, message = pcall(skynet.wait, "shared")
  print("wait", ok, (message:gsub("^.*:%d+: ", "")))
  ok, message = pcall(skynet.sleep, 1, "shared")
  print("sleep", ok, (message:gsub("^.*:%d+: ", "")))
  print(coroutine.status(waiter), skynet.wakeup "shared")
  skynet.sleep(5)
  skynet.abort()
end)
