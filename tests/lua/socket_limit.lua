-- limit: more unread bytes than that close the socket
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local function port_of(id)
  for _, info in ipairs(socket.netstat()) do
    if info.id == id then
      return tonumber(info.sock:match ":(%d+)$")
    end
  end
end

skynet.start(function()
  local lid = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id)
    socket.start(id)
    socket.write(id, ("x"):rep(5000))
    socket.read(id)
    socket.close(id)
  end)
  local port = port_of(lid)

  local id = socket.open("127.0.0.1", port)
  socket.limit(id, 10000)
  print("below", #socket.read(id, 5000))
  socket.close(id)

  id = socket.open("127.0.0.1", port)
  socket.limit(id, 100)
  print("line", (socket.readline(id)))
  print("closed", socket.disconnected(id))
  socket.close(id)

  -- Somebody who waits for a number of bytes may have them.
  id = socket.open("127.0.0.1", port)
  socket.limit(id, 100)
  print("number", #socket.read(id, 5000))
  socket.close(id)
  skynet.abort()
end)
