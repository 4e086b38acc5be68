-- Messages from one service to another arrive in the order sent, calls and sends and raw sends mixed.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  for i = 1, 5 do
    skynet.send(peer, "lua", "note", i)
  end
  skynet.rawsend(peer, "lua", skynet.pack("note", "raw"))
  skynet.rawsend(peer, "lua", skynet.packstring("note", "string"))
  print(skynet.call(peer, "lua", "seen"))

  -- A call does not overtake a send, and a send behind a pending call does not wait for its answer.
  skynet.send(peer, "lua", "note", "before")
  skynet.fork(function()
    print(skynet.call(peer, "lua", "sleep", 5, "slept"))
    skynet.abort()
  end)
  skynet.fork(function()
    skynet.send(peer, "lua", "note", "after")
    print(skynet.call(peer, "lua", "seen"))
  end)
end)
