-- skynet.abort ends the process with status 0 whatever else is going on; the aborting coroutine runs on until it waits.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.newservice "peer"
  skynet.fork(function()
    while true do
      skynet.sleep(1)
    end
  end)
  skynet.fork(function()
    skynet.call(skynet.newservice "peer", "lua", "sleep", 100000)
  end)
  skynet.timeout(100000, function() end)
  skynet.sleep(5)
  print "aborting"
  skynet.abort()
  print "still here"
  skynet.sleep(5)
  print "this must not print"
end)
