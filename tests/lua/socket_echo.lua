-- connections: connect, accept, exchange, close by either side
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

local function until_true(f)
  while not f() do
    skynet.sleep(1)
  end
end

skynet.start(function()
  local lid = socket.listen("127.0.0.1", 0)
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
  local port = port_of(lid)

  local id = socket.open("127.0.0.1", port)
  print("opened", math.type(id), socket.invalid(id), socket.disconnected(id))
  print("write", socket.write(id, "hello"))
  print("read", socket.read(id, 5))
  print("write a table", socket.write(id, { "one ", "two ", 3 }))
  print("read", socket.read(id, 9))
  print("write nothing", socket.write(id, ""))
  print("low priority", socket.lwrite(id, "abcdef"))
  print("read in parts", socket.read(id, 2), socket.read(id, 3), socket.read(id, 1))
  socket.close(id)
  print("closed", socket.invalid(id), socket.disconnected(id))
  print("write to a closed one", socket.write(id, "x"))
  until_true(function() return #server == 3 end)
  print("peers", #peers, peers[1]:match "^127%.0%.0%.1:%d+$" ~= nil)

  id = socket.open("127.0.0.1:" .. port)
  print("open with one text", math.type(id))
  socket.close(id)
  socket.close(id)
  until_true(function() return #server == 6 end)
  socket.close(lid)
  print("server", table.concat(server, " "))
  print(socket.open("127.0.0.1", port))
  print(socket.open("no host", port))
  print("header", socket.header "\1", socket.header "\1\2", socket.header "\1\2\3\4")
  print(pcall(socket.header, "12345"))
  print((select(2, pcall(socket.open, "127.0.0.1", 0)):match "Invalid port$"))
  print((select(2, pcall(socket.open, "127.0.0.1")):match "Invalid address 127%.0%.0%.1%.$"))
  lid = socket.listen("127.0.0.1", 0)
  socket.start(lid, print)
  print((select(2, pcall(socket.listen, "127.0.0.1", port_of(lid))):match "Listen error"))
  skynet.abort()
end)
