-- httpc: requests on the wire, responses of every framing, and what failures raise.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

-- A server that gives each request the raw bytes `answers[path]`.
local answers = {}
local port = nil
local last

local function serve(id)
  local code, path, method, header, body = httpd.read_request(sockethelper.readfunc(id))
  assert(code == 200, code)
  last = { path = path, method = method, header = header, body = body }
  socket.write(id, answers[path])
end

local function sorted(header)
  local fields = {}
  for name, value in pairs(header) do
    fields[#fields + 1] = name .. "=" .. (type(value) == "table" and table.concat(value, "|") or value)
  end
  table.sort(fields)
  return table.concat(fields, " ")
end

local function get(path)
  local header = {}
  local ok, status, body = pcall(httpc.get, "127.0.0.1:" .. port, path, header)
  if ok then
    print(path, status, body, sorted(header))
  else
    print(path, status == sockethelper.socket_error and "socket error" or type(status))
  end
end

skynet.start(function()
  port = loopback.listen(serve)
  local host = "127.0.0.1:" .. port
  answers["/length"] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello, not this"
  answers["/close"] = "HTTP/1.1 200 OK\r\n\r\nuntil the end"
  answers["/chunked"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"
  answers["/none"] = "HTTP/1.1 204 No Content\r\n\r\n"
  answers["/old"] = "HTTP/1.0 404 Not Found\r\n\r\nnothing here"
  answers["/no_body"] = "HTTP/1.1 302 Found\r\nLocation: /length\r\nContent-Length: 0\r\n\r\n"
  for _, path in ipairs { "/length", "/close", "/chunked", "/none", "/old", "/no_body" } do
    get(path)
  end

  answers["/short"] = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
  answers["/short_chunk"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
  answers["/bad_chunk"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n"
  answers["/coding"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n"
  answers["/empty"] = ""
  answers["/half"] = "HTTP/1.1 200 OK\r\nContent-"
  answers["/status"] = "HTTP/1.1 abc\r\n\r\n"
  answers["/field"] = "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"
  for _, path in ipairs { "/short", "/short_chunk", "/bad_chunk", "/coding", "/empty", "/half", "/status", "/field" } do
    get(path)
  end

  answers["/echo"] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
  print(httpc.request("PUT", "http://" .. host, "/echo", nil, { ["X-Number"] = 7 }, "content"))
  print(last.method, last.body, last.header["x-number"], last.header.host == host)
  print(httpc.request("GET", "HTTP://" .. host, "/echo"))
  print(last.method, last.body == "", last.header["content-length"])
  print(httpc.post(host, "/echo", { ["a b"] = "c&d=\xe8", }))
  print(last.method, last.body, last.header["content-type"])
  local received = {}
  print(httpc.post(host, "/echo", { n = 1 }, received))
  print(last.body, received["content-length"])

  local ok, err = pcall(httpc.get, "ftp://" .. host, "/")
  print("unknown protocol", ok)

  -- A port where nobody listens any more.
  local closed, listener = loopback.listen(function() end)
  socket.close(listener)
  ok, err = pcall(httpc.get, "127.0.0.1:" .. closed, "/")
  print("refused", ok, err == sockethelper.socket_error, tostring(err):find("^%[Socket Error%]"))

  -- A server that never answers, and one that never ends its answer.
  local silent = loopback.listen(function(id) socket.read(id, 1000000) end)
  local endless = loopback.listen(function(id)
    socket.write(id, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    socket.read(id, 1000000)
  end)
  httpc.timeout = 10
  for _, port in ipairs { silent, endless } do
    ok, err = pcall(httpc.get, "127.0.0.1:" .. port, "/")
    print("time limit", ok, err == sockethelper.socket_error)
  end
  print(httpc.get(host, "/echo"))
  skynet.abort()
end)
