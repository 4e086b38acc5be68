-- since: 1.5
-- skynet.coroutine.close ends a suspended coroutine; it is dead afterwards.
local skynet = require "skynet"
require "skynet.manager"
local co = require "skynet.coroutine"

skynet.start(function()
  local c = co.create(function()
    co.yield(1)
    print "this must not print"
  end)
  print(co.resume(c))
  print("close", co.close(c), co.status(c))
  print(co.resume(c))
  print("close again", co.close(c))

  c = co.create(print)
  print("never started", co.close(c), co.status(c))
  skynet.abort()
end)
