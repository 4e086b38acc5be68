-- until: 1.8
-- When messages queued in a dying service are dropped, all pending calls of their senders to it fail.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  local failed = 0
  local function call(...)
    if not pcall(skynet.call, peer, "lua", ...) then
      failed = failed + 1
    end
  end
  skynet.fork(call, "hold")
  skynet.fork(call, "sleep", 100000)
  skynet.sleep(5)
  skynet.send(peer, "lua", "spin", "victim")
  repeat
    skynet.yield()
  until skynet.getenv "victim_spins"
  skynet.send(peer, "lua", "note", "even a send is dropped with an error")
  skynet.kill(peer)
  print("before", failed)
  skynet.setenv("victim_stop", 1)
  repeat
    skynet.sleep(1)
  until failed == 2
  print("after", failed)
  skynet.abort()
end)
