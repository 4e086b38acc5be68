-- Timers fire by expiry, not by creation; each runs in a coroutine of its own, so one that waits holds up no other.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local main = coroutine.running()
  local begin = skynet.now()
  skynet.timeout(45, function() print "forty-five" end)
  skynet.timeout(30, function()
    print("thirty", coroutine.isyieldable())
    skynet.sleep(30)
    print "sixty"
    skynet.wakeup(main)
  end)
  skynet.timeout(15, function()
    print "fifteen"
    error "a failing timer harms no other"
  end)
  skynet.wait()
  print("not early", skynet.now() - begin >= 59)
  skynet.abort()
end)
