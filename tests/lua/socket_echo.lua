-- connections: connect, accept, exchange, close by either side
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local PORT = 17011

skynet.start(function()
  local lid = socket.listen("127.0.0.1", PORT)
  print("listening", math.type(lid))
  local peers, server = {}, {}
  socket.start(lid, function(id, address)
    peers[#peers + 1] = address
    server[#server + 1] = tostring(socket.start(id) == id)
    while true do
      local data, rest = socket.read(id)
      if not data then
        server[#server + 1] = tostring(data) .. #rest
        break
      end
      socket.write(id, data)
    end
    socket.close(id)
    server[#server + 1] = tostring(socket.invalid(id))
  end)

  local id = socket.open("127.0.0.1", PORT)
  print("opened", math.type(id), socket.invalid(id), socket.disconnected(id))
  print("write", socket.write(id, "hello"))
  print("read", socket.read(id, 5))
  print("write a table", socket.write(id, { "one ", "two ", 3 }))
  print("read", socket.read(id, 9))
  print("write nothing", socket.write(id, ""))
  socket.write(id, "abcdef")
  print("read in parts", socket.read(id, 2), socket.read(id, 3), socket.read(id, 1))
  socket.close(id)
  print("closed", socket.invalid(id), socket.disconnected(id))
  print("write to a closed one", socket.write(id, "x"))
  skynet.sleep(5)
  print("peers", #peers, peers[1]:match "^127%.0%.0%.1:%d+$" ~= nil)

  id = socket.open("127.0.0.1:" .. PORT)
  print("open with one text", math.type(id))
  socket.close(id)
  socket.close(id)
  skynet.sleep(5)
  socket.close(lid)
  print("server", table.concat(server, " "))
  print(socket.open("127.0.0.1", PORT))
  print(socket.open("nobody.invalid", PORT))
  skynet.abort()
end)
