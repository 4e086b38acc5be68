-- since: 1.8.9
-- the module websocket in its direct style, and what it does with pings, parts and ends
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "websocket"
require "skynet.manager"

local port
local done = {}

local function serve(id)
  socket.start(id)
  local _, _, _, header = httpd.read_request(sockethelper.readfunc(id))
  local ws = websocket.new(id, header, {}, { max_message = 20 })
  while true do
    local message, kind, code = ws:recv()
    print("recv", message, kind, code)
    if not message then
      break
    end
    if message == "frame" then
      print("recv_frame", ws:recv_frame())
    end
  end
  print("again", ws:recv())
  print("again", ws:recv_frame())
  print("send", ws:send_text("x"))
end

local function frame(first, payload)
  return string.char(first, 0x80 | #payload) .. "\0\0\0\0" .. payload
end

local function connect()
  local raw = socket.open("127.0.0.1", port)
  socket.write(raw, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
  socket.readline(raw, "\r\n\r\n")
  return raw
end

local function finish(raw)
  if not done.yes then skynet.wait(done) end
  done.yes = nil
  print("client got", (socket.readall(raw):gsub("[^%g ]", function(c) return ("<%02x>"):format(c:byte()) end)))
  socket.close(raw)
end

skynet.start(function()
  local lid, _
  lid, _, port = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id)
    serve(id)
    done.yes = true
    skynet.wakeup(done)
  end)

  local raw = connect()
  socket.write(raw, frame(0x89, "p1") .. frame(0x01, "in ") .. frame(0x89, "p2") .. frame(0x00, "three ")
    .. frame(0x8a, "") .. frame(0x80, "parts") .. frame(0x82, "bytes") .. frame(0x81, "") .. frame(0x81, "frame")
    .. frame(0x81, "one more") .. frame(0x88, "\x0f\xa0end"))
  finish(raw)

  print "-- too long"
  raw = connect()
  socket.write(raw, frame(0x81, ("x"):rep(21)))
  finish(raw)

  print "-- no UTF-8"
  raw = connect()
  socket.write(raw, frame(0x81, "\xff"))
  finish(raw)

  print "-- reserved bits"
  raw = connect()
  socket.write(raw, frame(0xc1, "x"))
  finish(raw)
  skynet.abort()
end)
