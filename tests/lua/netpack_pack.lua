-- Packets made and read without a socket: bytes, lengths, ownership, and what is refused.
local skynet = require "skynet"
require "skynet.manager"
local netpack = require "skynet.netpack"

local function hex(text)
  return (text:gsub(".", function(byte)
    return ("%02x "):format(byte:byte())
  end))
end

skynet.start(function()
  local packet, size = netpack.pack "hello"
  print(type(packet), size, hex(skynet.tostring(packet, size)))
  -- Packing a packet again copies it; both are then freed.
  local outer, outer_size = netpack.pack(packet, size)
  print(outer_size, hex(netpack.tostring(outer, outer_size)))
  print(hex(netpack.tostring(packet, size)))
  packet, size = netpack.pack ""
  print(size, hex(netpack.tostring(packet, size)))

  local longest = ("x"):rep(65535)
  packet, size = netpack.pack(longest)
  local text = netpack.tostring(packet, size)
  print(size, hex(text:sub(1, 2)), text:sub(3) == longest)
  print(select(2, pcall(netpack.pack, longest .. "x")):match "Invalid size %(too long%) of data : 65536")

  print("pop", select("#", netpack.pop(nil)), select("#", netpack.pop()))
  print("clear", select("#", netpack.clear(nil)))
  skynet.abort()
end)
