-- skynet.rawcall and rawsend move messages without packing; rawcall answers with a pointer and a size.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"

  local message, size = skynet.rawcall(peer, "lua", skynet.pack("echo", "pointer", 1))
  print(type(message), size, skynet.unpack(message, size))

  message, size = skynet.rawcall(peer, "lua", skynet.packstring("echo", "string", 2))
  print(type(message), size, skynet.unpack(message, size))
  print(skynet.tostring(message, size) == skynet.packstring("string", 2))

  message, size = skynet.rawcall(peer, "lua", skynet.packstring "echo")
  print(type(message), size, select("#", skynet.unpack(message, size)))

  print(skynet.rawsend(peer, "lua", skynet.pack("note", "x")))
  print(skynet.rawsend(peer, "lua", skynet.packstring("note", "y")))
  print(skynet.call(peer, "lua", "seen"))

  local ok, why = pcall(skynet.rawcall, peer, "lua", skynet.packstring("raise", "x"))
  print(ok, (why:gsub("^.*:%d+: ", "")))
  ok, why = pcall(skynet.rawcall, 0xfffff0, "lua", "")
  print(ok, (why:gsub("^.*:%d+: ", "")))
  skynet.abort()
end)
