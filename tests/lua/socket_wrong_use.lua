-- wrong use: a socket of another service, two readers, starting twice
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

local function failure(f, ...)
  local ok, text = pcall(f, ...)
  return ok, tostring(text):match "assertion failed!" or tostring(text):match "[^: ][^:]*$"
end

skynet.start(function()
  local lid = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id)
    print("not started", failure(socket.read, id))
    print("not started", failure(socket.readline, id))
    print("not started", failure(socket.readall, id))
    print("not started", failure(socket.limit, id, 1))
    print("not started", failure(socket.warning, id, print))
    print("not started", socket.block(id), socket.invalid(id), socket.disconnected(id))
    socket.start(id)
    socket.write(id, "x")
  end)
  local id = socket.open("127.0.0.1", port_of(lid))
  print("the peer", socket.read(id, 1))
  print("start again", failure(socket.start, id))
  print("close_fd", failure(socket.close_fd, id))
  local main = coroutine.running()
  skynet.fork(function()
    print("reader", socket.read(id, 1))
    skynet.wakeup(main)
  end)
  skynet.fork(function()
    print("second reader", failure(socket.read, id, 1))
    print("second reader", failure(socket.readline, id))
    print("second reader", failure(socket.readall, id))
    print("second reader", failure(socket.block, id))
    socket.shutdown(id)
  end)
  skynet.wait(main)
  socket.close(id)
  print("unknown", socket.invalid(12345678), socket.disconnected(12345678))
  print("unknown", socket.write(12345678, "x"), socket.close(12345678), socket.shutdown(12345678))
  print("unknown", failure(socket.read, 12345678))
  print("unknown", socket.start(12345678))
  print("abandon", socket.abandon(12345678))
  skynet.abort()
end)
