-- Timers fire by expiry, not by creation; each runs in a coroutine of its own, so one that waits holds up no other.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.timeout(18, function() print "eighteen" end)
  skynet.timeout(12, function()
    print("twelve", coroutine.isyieldable())
    skynet.sleep(12)
    print "twenty-four"
  end)
  skynet.timeout(6, function()
    print "six"
    error "a failing timer harms no other"
  end)
  local begin = skynet.now()
  skynet.sleep(30)
  print("not early", skynet.now() - begin >= 29)
  skynet.abort()
end)
