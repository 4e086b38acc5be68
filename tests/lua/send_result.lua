-- skynet.send gives 0 when the destination exists, however it is written, and nothing when it does not.
local skynet = require "skynet"
require "skynet.manager"

local function show(what, ...)
  print(what, select("#", ...), ...)
end

skynet.start(function()
  local peer = skynet.newservice "peer"
  skynet.name(".peer", peer)

  show("number", skynet.send(peer, "lua", "note", 1))
  show(":hex", skynet.send(skynet.address(peer), "lua", "note", 2))
  show(":short hex", skynet.send((":%x"):format(peer), "lua", "note", 3))
  show("digits", skynet.send(tostring(peer), "lua", "note", 4))
  show(".name", skynet.send(".peer", "lua", "note", 5))
  show("rawsend", skynet.rawsend(peer, "lua", skynet.packstring("note", 6)))
  print(skynet.call(".peer", "lua", "seen"))

  show("dead number", skynet.send(0xfffff0, "lua", "note"))
  show("dead :hex", skynet.send(":00fffff0", "lua", "note"))
  show("dead .name", skynet.send(".nobody", "lua", "note"))
  show("dead rawsend", skynet.rawsend(0xfffff0, "lua", "x"))

  -- A float with an integral value is an address too.
  show("float", skynet.send(peer + 0.0, "lua", "note", 7))
  print(skynet.call(peer + 0.0, "lua", "seen"))
  skynet.abort()
end)
