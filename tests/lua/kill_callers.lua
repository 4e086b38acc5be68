-- A call still queued in a killed service fails. (One its handler had taken up waits for ever in skynet, and fails in node.)
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  -- Queued: `spin` keeps the victim busy while the calls arrive behind it.
  local peer = skynet.newservice "peer"
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
