-- Helper: leaves by skynet.exit with forks, timers and other coroutines outstanding.
local skynet = require "skynet"

skynet.start(function()
  skynet.dispatch("lua", function()
    skynet.fork(print, "a fork must not run")
    skynet.timeout(1, function()
      print "a timer must not fire"
    end)
    print "exiting"
    skynet.exit()
    print "code behind exit must not run"
  end)
  skynet.fork(function()
    skynet.sleep(2)
    print "a sleeper must not wake"
  end)
end)
