-- what readers get when the peer closes
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
  local send = "12345"
  socket.start(lid, function(id)
    socket.start(id)
    socket.write(id, send)
    socket.close(id)
  end)
  local port = port_of(lid)

  local function opened()
    return (socket.open("127.0.0.1", port))
  end
  local id = opened()
  print("read more than comes", socket.read(id, 10))
  print("again", socket.read(id, 10))
  print("any", socket.read(id))
  print("line", socket.readline(id))
  print("all", socket.readall(id))
  print("block", socket.block(id))
  print("disconnected", socket.disconnected(id), socket.invalid(id))
  socket.close(id)
  print("closed", socket.disconnected(id), socket.invalid(id))

  id = opened()
  print("line", socket.readline(id))
  socket.close(id)

  id = opened()
  print("all", socket.readall(id))
  print("all again", socket.readall(id))
  socket.close(id)

  id = opened()
  print("block", socket.block(id))
  print("then", socket.read(id, 3))
  print("the rest", socket.read(id, 3))
  socket.close(id)

  send = ("x"):rep(100000)
  id = opened()
  print("much", #socket.readall(id))
  socket.close(id)
  send = ""
  id = opened()
  -- An empty string, or false when the peer was faster.
  print("nothing", #(socket.readall(id) or ""))
  print("nothing again", socket.readall(id))
  socket.close(id)
  skynet.abort()
end)
