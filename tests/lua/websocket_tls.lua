-- since: 1.8.9
-- config: certfile = "tests/lua/tls/server.pem"
-- config: keyfile = "tests/lua/tls/server.key"
-- wss at both ends, a certificate that the client does not trust, and peers who do not begin
local skynet = require "skynet"
local socket = require "skynet.socket"
local websocket = require "http.websocket"
require "skynet.manager"

local handle = {}
function handle.message(id, message, kind)
  websocket.write(id, message, kind)
end
function handle.close(_, code, reason)
  print("close", code, reason)
  skynet.abort()
end

skynet.start(function()
  local lid, _, port = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id, addr)
    websocket.accept(id, handle, "wss", addr)
  end)
  local url = ("wss://localhost:%d/"):format(port)
  print("not trusted", (pcall(websocket.connect, url)))
  -- A time beyond the clock never comes.
  local options = { ca = "tests/lua/tls/ca.pem", hostname = "game.example", ping = 1e19 }
  local id = websocket.connect(url, nil, 500, options)
  for _, size in ipairs { 0, 5, 20000, 200000 } do
    local text = ("x"):rep(size)
    websocket.write(id, text)
    print(size, websocket.read(id) == text)
  end

  -- Peers who never begin with TLS.
  local waiting, refusal = coroutine.running(), nil
  local impatient, _, silent = socket.listen("127.0.0.1", 0)
  socket.start(impatient, function(client, addr)
    refusal = select(2, websocket.accept(client, handle, "wss", addr, { handshake_timeout = 0.05 }))
    skynet.wakeup(waiting)
  end)
  local mute = socket.open("127.0.0.1", silent)
  socket.readall(mute)
  socket.close(mute)
  if not refusal then
    skynet.wait(waiting)
  end
  print(refusal)
  local deaf, _, unheard = socket.listen("127.0.0.1", 0)
  socket.start(deaf, function(client) socket.start(client) end)
  local _, err = pcall(websocket.connect, ("wss://127.0.0.1:%d/"):format(unheard), nil, 5)
  print((err:gsub("^.-: ", "")))

  websocket.close(id, 1000, "done")
end)
