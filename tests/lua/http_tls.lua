-- since: 1.8.9
-- https is TLS begun on the connected socket, then the same HTTP: what httpc and http.tlshelper ask of the socket layer.
-- Its place is taken by a recorder, and the bytes go as they are.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

local refuse
local servers = {}
package.loaded["skynet.socket.tls"] = {
  client = function(fd, hostname, options)
    print("client", type(fd), hostname, options and options.ca)
    if refuse then
      return nil, refuse
    end
    return true
  end,
  server = function(fd, certfile, keyfile, options)
    servers[("%s %s %s %s"):format(type(fd), certfile, keyfile, options and options.ciphers)] = true
    return true
  end,
}

local httpc = require "http.httpc"
local httpd = require "http.httpd"
local tls = require "http.tlshelper"

skynet.start(function()
  local ctx = tls.newctx()
  ctx:set_cert("cert.pem", "key.pem")
  ctx:set_ciphers("some")
  local connections = 0
  local port = loopback.listen(function(id)
    connections = connections + 1
    local session = tls.newtls("server", ctx)
    tls.init_responsefunc(id, session)()
    local read, write = tls.readfunc(id, session), tls.writefunc(id, session)
    while true do
      local code, url, method, header = httpd.read_request(read)
      if code ~= 200 then
        break
      end
      httpd.write_response(write, 200, ("%s %s"):format(url, header.host:gsub("%d+$", "PORT")))
    end
    tls.closefunc(session)()
  end)
  local host = "https://localhost:" .. port
  print(httpc.get(host, "/a"))
  print(httpc.head(host, "/b", nil, nil, nil, { tls = { ca = "ca.pem" } }))
  for piece in httpc.request_stream("GET", host, "/c") do
    print(piece)
  end

  -- Under other rules it is another connection, and none is kept across them.
  connections = 0
  local rules = { ca = "x" }
  for _, options in ipairs { { keepalive = 60 }, { keepalive = 60 }, { keepalive = 60, tls = rules }, { keepalive = 60, tls = rules } } do
    httpc.get(host, "/", nil, nil, nil, options)
  end
  print("connections", connections)

  refuse = "certificate has expired"
  local ok, err = pcall(httpc.get, host, "/")
  print(ok, (err:gsub("%d+", "N")))
  print(pcall(tls.newtls, "peer", ctx))
  for server in pairs(servers) do
    print("server", server)
  end
  skynet.abort()
end)
