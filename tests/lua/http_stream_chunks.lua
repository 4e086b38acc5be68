-- since: 1.6
-- httpc.request_stream: each piece of a chunked body is one chunk, however the bytes come, and the last is empty.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

local HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
local BODY = "4\r\none\n\r\n6\r\ntwo\r\n\n\r\n1\r\n3\r\n0\r\nX: late\r\n\r\n"

skynet.start(function()
  local port = loopback.listen(function(id)
    local _, path = httpd.read_request(sockethelper.readfunc(id))
    if path == "/at-once" then
      socket.write(id, HEAD .. BODY)
    elseif path == "/by-bytes" then
      for byte in (HEAD .. BODY):gmatch "[\0-\255]" do
        socket.write(id, byte)
        skynet.yield()
      end
    elseif path == "/long" then
      socket.write(id, HEAD .. ("%x\r\n%s\r\n"):format(200000, ("a"):rep(200000)):rep(2) .. "0\r\n\r\n")
    else
      socket.write(id, HEAD .. ("1\r\nx\r\n"):rep(5000) .. "0\r\n\r\n")
    end
  end)
  local function stream(path)
    local stream = httpc.request_stream("GET", "127.0.0.1:" .. port, path)
    local pieces = {}
    for piece in stream do
      pieces[#pieces + 1] = piece
    end
    return pieces, stream.header.x
  end
  for _, path in ipairs { "/at-once", "/by-bytes" } do
    local pieces, late = stream(path)
    for _, piece in ipairs(pieces) do
      print(("%q"):format(piece))
    end
    print(path, late)
  end
  local long = stream "/long"
  print(#long, #long[1], #long[2], #long[3])
  local many = stream "/many"
  print(#many, many[1], many[5000], #many[5001])
  skynet.abort()
end)
