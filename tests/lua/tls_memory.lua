-- ltls.c: sessions that read and write strings
-- since: 99
-- config: tls_ca = "tests/lua/tls/ca.pem"
local skynet = require "skynet"
require "skynet.manager"
local c = require "ltls.c"
local init = require "ltls.init.c"

local DIR = "tests/lua/tls/"

-- Carries what the two have to say to each other until both are done.
local function shake(client, server)
  local to_server = client:handshake()
  while not (client:finished() and server:finished()) do
    local to_client = server:handshake(to_server)
    to_server = nil
    if to_client and not client:finished() then
      to_server = client:handshake(to_client)
    elseif to_client then
      client:read(to_client)
    end
  end
  -- Tickets of the server.
  client:read(server:write())
end

skynet.start(function()
  init.constructor()
  local sctx, cctx = c.newctx(), c.newctx()
  sctx:set_cert(DIR .. "server.pem", DIR .. "server.key")
  sctx:set_ciphers "ECDHE-ECDSA-AES256-GCM-SHA384:HIGH"
  local server = c.newtls("server", sctx)
  local client = c.newtls("client", cctx, "game.example")
  print("before", client:finished(), server:finished())
  shake(client, server)
  print("after", client:finished(), server:finished())
  print("to the server", server:read(client:write "hello"))
  print("to the client", client:read(server:write(("x"):rep(100000))) == ("x"):rep(100000))
  print("nothing", #client:write(), #client:write "", #server:read())
  print(pcall(client.handshake, client))
  local records = client:write "one" .. client:write "two"
  print("in pieces", server:read(records:sub(1, 7)) .. server:read(records:sub(8)))
  client:close()
  client:close()
  print(pcall(client.write, client, "x"))
  print(pcall(server.read, server, "GET / HTTP/1.1"))

  print "-- reasons"
  client = c.newtls("client", cctx, "other.example")
  print(pcall(shake, client, c.newtls("server", sctx)))
  client = c.newtls("client", c.newctx { verify = false })
  client:set_ext_host_name "other.example"
  shake(client, c.newtls("server", sctx))
  print("not judged", client:finished())
  print(pcall(c.newtls("client", cctx).handshake, c.newtls("client", cctx)))
  print(pcall(c.newtls, "both", cctx))
  print(pcall(c.newtls, "client", {}))
  print(pcall(cctx.set_cert, cctx, DIR .. "server.pem", DIR .. "client.key"))
  print(pcall(cctx.set_ciphers, cctx, "RC4-MD5"))
  print(pcall(c.newtls("server", sctx).handshake, c.newtls("server", sctx), "plain text"))

  print "-- many sessions meet the collector"
  for _ = 1, 2000 do
    c.newtls("client", cctx, "game.example"):handshake()
  end
  collectgarbage()
  print(collectgarbage "count" < 8192)
  init.destructor()
  skynet.abort()
end)
