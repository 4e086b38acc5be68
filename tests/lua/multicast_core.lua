-- skynet.multicast.core: packages that several services hold by a number, until the last of them lets go.
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.multicast.core"

skynet.start(function()
  print(core.nextid(0), core.nextid(258), core.nextid(0x7fffff05))

  local done = 0
  skynet.register_protocol {
    name = "package",
    id = 100,
    pack = function(...) return ... end,
    unpack = function(message, size)
      return core.unpack(message, size)
    end,
    dispatch = function(_, _, package, bytes, size)
      print("got", type(package), skynet.unpack(bytes, size))
      core.close(package)
      done = done + 1
    end,
  }
  local message, size = core.pack(skynet.pack("payload", 7, "x"))
  print(type(message), size)
  local text = skynet.tostring(message, size)
  print("bound", type(core.bind(message, 2)))
  skynet.rawsend(skynet.self(), "package", text)
  skynet.rawsend(skynet.self(), "package", text)
  repeat
    skynet.yield()
  until done == 2

  message, size = core.packremote(skynet.pack "from afar")
  text = skynet.tostring(message, size)
  core.bind(message, 1)
  skynet.rawsend(skynet.self(), "package", text)
  repeat
    skynet.yield()
  until done == 3

  local bytes
  bytes, size = core.remote((core.pack(skynet.pack "for another node")))
  print("remote", skynet.unpack(bytes, size))
  skynet.trash(bytes, size)
  skynet.abort()
end)
