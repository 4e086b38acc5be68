-- httpc and httpd over TLS: exchanges, kept connections, and why there is none
-- since: 99
-- config: tls_ca = "tests/lua/tls/ca.pem"
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local tlshelper = require "http.tlshelper"
local dns = require "skynet.dns"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

dns.DEFAULT_HOSTS = "tests/lua/modules/hosts"
httpc.dns("127.0.0.1", 9)

-- Serves requests on one connection for as long as it lasts; the number of requests on it goes back in a field.
local function serve(id, ctx)
  local session = tlshelper.newtls("server", ctx)
  tlshelper.init_responsefunc(id, session)()
  local read, write = tlshelper.readfunc(id, session), tlshelper.writefunc(id, session)
  for number = 1, math.huge do
    local code, url, method, header, body = httpd.read_request(read, 1 << 20)
    if code ~= 200 then
      break
    end
    local answer = ("%s %s %s %d"):format(method, url, header.host:gsub("%d+", "PORT"), #body)
    httpd.write_response(write, 200, url == "/echo" and body or answer, { number = number })
  end
  tlshelper.closefunc(session)()
end

-- Without the numbers that differ from run to run, and raised as a text or as the object for broken sockets.
local function reason(ok, err)
  return ok, (tostring(err):gsub("socket %d+", "socket N"):gsub(":%d%d%d+", ":PORT"))
end

skynet.start(function()
  local ctx = tlshelper.newctx()
  ctx:set_cert("tests/lua/tls/server.pem", "tests/lua/tls/server.key")
  local refused, waiting = nil, coroutine.running()
  local port = loopback.listen(function(id)
    local ok, err = pcall(serve, id, ctx)
    if not ok and err ~= sockethelper.socket_error then
      refused = err
      skynet.wakeup(waiting)
    end
  end)
  local host = "https://game.example:" .. port

  print "-- exchanges"
  print(httpc.get(host, "/a"))
  print(httpc.post(host, "/b", { name = "value" }))
  local large = ("0123456789abcdef"):rep(20000)
  local status, body = httpc.request("POST", host, "/echo", nil, { ["content-type"] = "text/plain" }, large)
  print(status, body == large)
  local got = {}
  for piece in httpc.request_stream("POST", host, "/echo", nil, nil, large) do
    got[#got + 1] = piece
  end
  print("stream", table.concat(got) == large)
  for _ = 1, 3 do
    local header = {}
    httpc.get(host, "/", header, nil, nil, { keepalive = 60 })
    print("request", header.number)
  end

  print "-- no trust"
  local function refuse(...)
    print("client", reason(pcall(...)))
    if not refused then
      skynet.wait(waiting)
    end
    print("server", select(2, reason(false, refused)))
    refused = nil
  end
  refuse(httpc.get, "https://other.example:" .. port, "/")
  refuse(httpc.get, "https://127.0.0.1:" .. port, "/")
  refuse(httpc.get, host, "/", nil, nil, nil, { tls = { ca = "tests/lua/tls/client.pem" } })
  print("not judged", httpc.get("https://other.example:" .. port, "/", nil, nil, nil, { tls = { verify = false } }))

  print "-- no TLS"
  local id = assert(socket.open("127.0.0.1", port))
  socket.write(id, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
  socket.readall(id)
  socket.close(id)
  if not refused then
    skynet.wait(waiting)
  end
  print("server", select(2, reason(false, refused)))
  local plain = loopback.listen(function(other)
    socket.read(other)
    socket.write(other, "HTTP/1.1 400 Bad Request\r\n\r\n")
  end)
  print("client", reason(pcall(httpc.get, "https://game.example:" .. plain, "/")))
  local deaf = "https://game.example:" .. loopback.listen(function(other)
    while socket.read(other) do end
  end)
  print("client", reason(pcall(httpc.get, deaf, "/", nil, nil, nil, { timeout = 10 })))
  print("client", reason(pcall(httpc.get, deaf, "/", nil, nil, nil, { tls = { handshake_timeout = 0.05 } })))
  skynet.abort()
end)
