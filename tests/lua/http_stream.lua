-- since: 1.6
-- httpc.head gives the status; httpc.request_stream gives the body in pieces.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

local answers = {}
local asked

skynet.start(function()
  local port = loopback.listen(function(id)
    local _, path
    _, path, asked = httpd.read_request(sockethelper.readfunc(id))
    for _, piece in ipairs(answers[path]) do
      socket.write(id, piece)
      skynet.sleep(1)
    end
  end)
  local host = "127.0.0.1:" .. port

  answers["/head"] = { "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" }
  local header = {}
  print("head", httpc.head(host, "/head", header), header["content-length"], asked)

  local function stream(path)
    local stream = httpc.request_stream("GET", host, path)
    print(path, stream.status, stream.connected)
    local body = {}
    for piece, self in stream do
      assert(self == stream)
      body[#body + 1] = piece
    end
    print(path, table.concat(body), stream.connected, stream.header.x, (stream()))
  end

  answers["/length"] = { "HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 11\r\n\r\n", "hello ", "world" }
  answers["/chunked"] = {
    "HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "lo\r\n", "6\r\n world\r\n0\r\n", "X: late\r\n\r\n",
  }
  answers["/nothing"] = { "HTTP/1.1 204 OK\r\n\r\n" }
  answers["/empty"] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }
  for _, path in ipairs { "/length", "/chunked", "/nothing", "/empty" } do
    stream(path)
  end

  -- Left before its end.
  local left = httpc.request_stream("GET", host, "/length")
  left:padding()
  left:close()
  print("closed twice", left:close())

  answers["/bad"] = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" }
  local bad = httpc.request_stream("GET", host, "/bad")
  print("bad chunk", (bad()), bad.connected)

  answers["/short"] = { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello" }
  local short = httpc.request_stream("GET", host, "/short")
  local ok, err
  repeat
    ok, err = pcall(short)
  until not ok or err == nil
  print("short", ok, err == sockethelper.socket_error)
  short:close()
  skynet.abort()
end)
