-- A handshake of TLS has a time limit at either side, and none once it is over.
-- since: 99
-- config: tls_handshake_timeout = 0.1
-- config: tls_ca = "tests/lua/tls/ca.pem"
-- config: certfile = "tests/lua/tls/server.pem"
-- config: keyfile = "tests/lua/tls/server.key"
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"
local tls = require "skynet.socket.tls"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

local PATIENT = { handshake_timeout = 1e19 }

skynet.start(function()
  local echo = loopback.listen(function(id)
    assert(tls.server(id, nil, nil, PATIENT))
    socket.write(id, socket.readline(id) .. "\n")
    socket.read(id)
  end)
  local kept = assert(socket.open("127.0.0.1", echo))
  print("in time", tls.client(kept, "game.example", PATIENT))

  -- A server that takes everything and says nothing.
  local deaf = loopback.listen(function(id)
    while socket.read(id) do end
  end)
  for _, options in ipairs { false, { handshake_timeout = 0.05 } } do
    local id = assert(socket.open("127.0.0.1", deaf))
    print("client", tls.client(id, "game.example", options or nil))
    print("after that", socket.read(id))
    socket.close(id)
  end

  -- Clients that say nothing, or not all of it: the first bytes of a record of 512.
  local outcome, waiting = nil, coroutine.running()
  local mute = loopback.listen(function(id)
    outcome = table.pack(tls.server(id))
    skynet.wakeup(waiting)
  end)
  for _, beginning in ipairs { "", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" } do
    local id = assert(socket.open("127.0.0.1", mute))
    socket.write(id, beginning)
    skynet.wait(waiting)
    print("server", table.unpack(outcome))
    print("client", socket.read(id))
    socket.close(id)
  end

  -- The others have taken longer than the limit.
  socket.write(kept, "still here\n")
  print(socket.readline(kept))
  socket.close(kept)

  for _, limit in ipairs { 0, -1, 0 / 0, "soon", true } do
    local id = assert(socket.open("127.0.0.1", deaf))
    local ok, err = pcall(tls.client, id, "game.example", { handshake_timeout = limit })
    print(ok, (err:gsub("^.-: ", "")))
    socket.close(id)
  end
  skynet.abort()
end)
