-- netstat: what is known of listening sockets and of both ends of a connection
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local function info(id)
  for _, entry in ipairs(socket.netstat()) do
    if entry.id == id then
      return entry
    end
  end
end

skynet.start(function()
  local before = #socket.netstat()
  local lid = socket.listen("127.0.0.1", 0)
  local peer
  socket.start(lid, function(id)
    socket.start(id)
    peer = id
    socket.write(id, socket.readline(id) .. "!")
  end)
  local listening = info(lid)
  local port = tonumber(listening.sock:match "^127%.0%.0%.1:(%d+)$")
  print(listening.type, listening.accept, listening.address == skynet.self(), listening.read, math.type(listening.rtime))
  local id = socket.open("127.0.0.1", port)
  socket.write(id, "hello\n")
  print(socket.read(id, 6))
  local ours, theirs = info(id), info(peer)
  print(ours.type, ours.address == skynet.self(), ours.peer == "127.0.0.1:" .. port, ours.read, ours.write, ours.wbuffer)
  print(theirs.type, theirs.read, theirs.write, theirs.peer:match "^127%.0%.0%.1:" ~= nil, theirs.sock)
  print(info(lid).accept, #socket.netstat() - before)
  print(math.type(ours.rtime), math.type(ours.wtime))
  socket.close(id)
  print(info(id))
  skynet.abort()
end)
