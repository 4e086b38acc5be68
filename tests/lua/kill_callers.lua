-- A call still queued in a killed service fails; a call its handler had taken up stays unanswered.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  -- Taken up: nobody reports the death, the call stays pending.
  local peer = skynet.newservice "peer"
  local thread = skynet.fork(function()
    pcall(skynet.call, peer, "lua", "hold")
    print "this must not print"
  end)
  skynet.sleep(5)
  skynet.kill(peer)
  skynet.sleep(5)
  print("taken up", coroutine.status(thread), skynet.task(thread) ~= nil)

  -- Queued: `spin` keeps the victim busy while the calls arrive behind it.
  peer = skynet.newservice "peer"
  skynet.send(peer, "lua", "spin", "victim")
  repeat
    skynet.yield()
  until skynet.getenv "victim_spins"
  local failed = 0
  for _ = 1, 3 do
    skynet.fork(function()
      if not pcall(skynet.call, peer, "lua", "echo") then
        failed = failed + 1
      end
    end)
  end
  skynet.yield()
  skynet.kill(peer)
  skynet.setenv("victim_stop", 1)
  repeat
    skynet.sleep(1)
  until failed == 3
  print("queued", failed)
  skynet.abort()
end)
