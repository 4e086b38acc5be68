-- TLS on sockets: handshake, data both ways, close, and the reasons when there is none
-- since: 99
-- config: tls_ca = "tests/lua/tls/ca.pem"
-- config: certfile = "tests/lua/tls/server.pem"
-- config: keyfile = "tests/lua/tls/server.key"
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"
local tls = require "skynet.socket.tls"

local DIR = "tests/lua/tls/"

skynet.start(function()
  local serve, served
  local done = {}
  local lid = socket.listen("127.0.0.1", 0)
  local port
  for _, one in ipairs(socket.netstat()) do
    if one.id == lid then
      port = tonumber(one.sock:match ":(%d+)$")
    end
  end
  socket.start(lid, function(id)
    socket.start(id)
    serve(id)
    socket.close(id)
    served = true
    skynet.wakeup(done)
  end)

  -- Connects, does `client`, and waits for the server to be done. What the sides say is printed
  -- then, since the two run side by side.
  local function attempt(client, server)
    local said = { client = {}, server = {} }
    local function speaker(side)
      return function(...)
        local line = table.pack(side, ...)
        for index = 1, line.n do
          line[index] = tostring(line[index])
        end
        table.insert(said[side], table.concat(line, "\t"))
      end
    end
    served = false
    function serve(id)
      server(id, speaker "server")
    end
    local id = assert(socket.open("127.0.0.1", port))
    client(id, speaker "client")
    socket.close(id)
    if not served then
      skynet.wait(done)
    end
    for _, side in ipairs { said.client, said.server } do
      for _, line in ipairs(side) do
        print(line)
      end
    end
  end

  print "-- an exchange"
  attempt(function(id, say)
    say(tls.client(id, "game.example"))
    socket.write(id, "hello\n")
    say("answer", socket.readline(id))
    socket.write(id, string.rep("x", 300000))
    say("length", socket.readline(id))
    say("end", socket.read(id))
  end, function(id, say)
    say(tls.server(id))
    socket.write(id, "<" .. socket.readline(id) .. ">\n")
    socket.write(id, #socket.read(id, 300000) .. "\n")
  end)

  print "-- the first words of the server come with the handshake"
  attempt(function(id, say)
    say(tls.client(id, "game.example"))
    say("greeting", socket.readline(id))
  end, function(id, say)
    tls.server(id, DIR .. "server.pem", DIR .. "server.key")
    socket.write(id, "welcome\n")
  end)

  print "-- another name"
  attempt(function(id, say)
    say(tls.client(id, "other.example"))
  end, function(id, say)
    say(tls.server(id))
  end)

  print "-- not judged"
  attempt(function(id, say)
    say(tls.client(id, "other.example", { verify = false }))
  end, function(id, say)
    tls.server(id)
  end)

  print "-- an unknown authority"
  attempt(function(id, say)
    say(tls.client(id, "game.example", { ca = DIR .. "client.pem" }))
  end, function(id, say)
    say(tls.server(id))
  end)

  print "-- certificates of clients"
  attempt(function(id, say)
    local files = { certfile = DIR .. "client.pem", keyfile = DIR .. "client.key" }
    say(tls.client(id, "game.example", files))
    say("answer", socket.readline(id))
  end, function(id, say)
    say(tls.server(id, nil, nil, { ca = DIR .. "ca.pem" }))
    socket.write(id, "known\n")
  end)
  attempt(function(id, say)
    tls.client(id, "game.example")
    say("closed", socket.read(id))
  end, function(id, say)
    say(tls.server(id, nil, nil, { ca = DIR .. "ca.pem" }))
  end)

  print "-- plain bytes"
  attempt(function(id, say)
    socket.write(id, "GET / HTTP/1.1\r\n\r\n")
    say("nothing of use comes back", socket.read(id) ~= "HTTP")
  end, function(id, say)
    say(tls.server(id))
  end)
  attempt(function(id, say)
    say(tls.client(id, "game.example"))
  end, function(id, say)
    socket.read(id)
    socket.write(id, "HTTP/1.1 400 Bad Request\r\n\r\n")
  end)

  print "-- a peer that hangs up"
  attempt(function(id, say)
    say(tls.client(id, "game.example"))
  end, function() end)

  print "-- wrong use"
  attempt(function(id)
    print(tls.client(id, "no host"))
    print(tls.client(id, "game.example", { ca = DIR .. "nothing.pem" }))
    print(tls.server(id, DIR .. "server.pem", DIR .. "client.key"))
    print(pcall(tls.server, id, DIR .. "server.pem"))
    print(tls.server(id, nil, nil, { ciphers = "RC4-MD5" }))
    print(pcall(tls.client, 1 << 30, "game.example"))
    print(pcall(tls.client, id, nil))
    print(pcall(tls.client, id, "game.example", 1))
    skynet.fork(function()
      print("twice", tls.client(id, "game.example"))
    end)
    print("first", tls.client(id, "game.example"))
  end, function(id)
    tls.server(id)
    socket.read(id)
  end)
  socket.close(lid)
  skynet.abort()
end)
