-- datagrams: to a bound socket and back, connected and by address
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local function port_of(id)
  return 17021
end

skynet.start(function()
  local main = coroutine.running()
  local got = {}
  local server
  server = socket.udp(function(text, from)
    local host, port = socket.udp_address(from)
    got[#got + 1] = text .. "@" .. host .. ":" .. math.type(port) .. ":" .. #from
    socket.sendto(server, from, "echo " .. text)
  end, "127.0.0.1", port_of())
  print(math.type(server))

  local client = socket.udp(function(text, from)
    print("client gets", #text, text:sub(1, 10), (socket.udp_address(from)))
    skynet.wakeup(main)
  end)
  socket.udp_connect(client, "127.0.0.1", port_of())
  print("write", socket.write(client, "one"))
  skynet.wait(main)
  print("table", socket.write(client, { "two", "+" }))
  skynet.wait(main)
  print("long", socket.write(client, ("x"):rep(1000)))
  skynet.wait(main)
  print(table.concat(got, " "):gsub("x+", "x"))
  print(pcall(socket.udp_address, "x"))
  socket.close(client)
  socket.close(server)
  print(socket.invalid(client), socket.invalid(server), socket.write(client, "x"))
  print("again", math.type(socket.udp(print, "127.0.0.1", port_of())))
  skynet.abort()
end)
