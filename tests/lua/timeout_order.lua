-- Timers fire by expiry, not by creation; each runs in a coroutine of its own, so one that waits holds up no other.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.timeout(9, function() print "nine" end)
  skynet.timeout(6, function()
    print("six", coroutine.isyieldable())
    skynet.sleep(6)
    print "twelve"
  end)
  skynet.timeout(3, function()
    print "three"
    error "a failing timer harms no other"
  end)
  local begin = skynet.now()
  skynet.sleep(15)
  print("not early", skynet.now() - begin >= 14)
  skynet.abort()
end)
