-- closing while another coroutine reads: the reader ends first, with what was there
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
    socket.write(id, "abc")
    socket.read(id, 1000)
    socket.close(id)
  end)
  local port = port_of(lid)
  local main = coroutine.running()

  local id = socket.open("127.0.0.1", port)
  print("first", socket.read(id, 1))
  skynet.fork(function()
    print("reader", socket.read(id, 100))
  end)
  skynet.fork(function()
    print "close begins"
    socket.close(id)
    print("closed", socket.invalid(id))
    skynet.wakeup(main)
  end)
  skynet.wait(main)

  id = socket.open("127.0.0.1", port)
  print("first", socket.read(id, 1))
  skynet.fork(function()
    print("reader", (socket.readline(id)))
    skynet.wakeup(main)
  end)
  skynet.fork(function()
    socket.shutdown(id)
  end)
  skynet.wait(main)
  print("still known", socket.invalid(id), socket.disconnected(id))
  print("write", socket.write(id, "x"))
  socket.close(id)
  print("forgotten", socket.invalid(id))
  skynet.abort()
end)
