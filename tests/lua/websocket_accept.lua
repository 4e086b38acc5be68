-- since: 1.8.9
-- config: websocket_close_timeout = 0.1
-- http.websocket: an id handed over, an upgrade, refusals, ends, wrong use
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "http.websocket"
require "skynet.manager"

local port
local done, mode = {}, "plain"

local function note(...)
  local words = table.pack(...)
  for index = 1, words.n do
    local word = words[index]
    words[index] = word == "" and "(nothing)"
      or tostring(word):gsub("[^%g ]", function(c) return ("<%02x>"):format(c:byte()) end)
  end
  done[#done + 1] = table.concat(words, " ")
end

local handle = {}
for _, name in ipairs { "connect", "ping", "pong", "close", "error" } do
  handle[name] = function(_, ...) note(name, ...) end
end

function handle.handshake(id, header, url)
  note("handshake", url, header["x-many"] and table.concat(header["x-many"], "+"), websocket.real_ip(id))
end

function handle.message(id, message, kind)
  note("message", message, kind)
  if message == "close" then
    websocket.close(id, 4000, "server")
    note("is_close", websocket.is_close(id))
  elseif message == "break" then
    error "handler broke"
  else
    websocket.write(id, message, kind)
  end
end

local function serve(id, addr)
  local options
  if mode == "upgrade" then
    socket.start(id)
    local _, url, method, header = httpd.read_request(sockethelper.readfunc(id))
    options = { upgrade = { header = header, method = method, url = url } }
  elseif mode == "small" then
    options = { max_message = 4 }
  end
  local ok, err = websocket.accept(id, handle, "ws", addr, options)
  note("accept", ok, err and (err:gsub("\n.*", ""):gsub("^.-:%d+: ", "")))
  done.yes = true
  skynet.wakeup(done)
end

local function finish(title)
  if not done.yes then skynet.wait(done) end
  print("--", title)
  print(table.concat(done, "\n"))
  done = {}
end

local function connect(header)
  return websocket.connect(("ws://127.0.0.1:%d"):format(port), header, 500)
end

local function short(_, err)
  return (tostring(err):gsub("^.-:%d+: ", ""))
end

skynet.start(function()
  local lid, _
  lid, _, port = socket.listen("127.0.0.1", 0)
  socket.start(lid, serve)

  local id = connect { ["X-Real-IP"] = "10.1.2.3", ["X-Many"] = { "a", "b" } }
  websocket.ping(id)
  websocket.write(id, "text")
  print(websocket.read(id))
  websocket.write(id, "close")
  print((websocket.read(id)), websocket.is_close(id))
  finish "server first"

  mode = "upgrade"
  id = connect()
  websocket.write(id, "\xff", "binary")
  print(websocket.read(id) == "\xff")
  websocket.close(id)
  finish "upgrade of a request read by httpd"

  mode = "plain"
  id = connect()
  websocket.write(id, "break")
  local _, payload = websocket.read(id)
  print(((">I2"):unpack(payload)))
  finish "a callback that raises"

  mode = "small"
  id = connect()
  websocket.write(id, "12345")
  _, payload = websocket.read(id)
  print(payload:byte(1) * 256 + payload:byte(2), payload:sub(3))
  finish "a message over the limit"

  mode = "plain"
  print("connect", short(pcall(connect, { ["Sec-WebSocket-Protocol"] = "game" })))
  finish "a subprotocol that is not ours"

  local raw = socket.open("127.0.0.1", port)
  socket.write(raw, "POST / HTTP/1.1\r\n\r\n")
  print((socket.readall(raw):gsub("\r\n.*", "")))
  socket.close(raw)
  finish "a request of another method"

  raw = socket.open("127.0.0.1", port)
  socket.write(raw, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
  socket.readline(raw, "\r\n\r\n")
  socket.close(raw)
  finish "a lost connection"

  raw = socket.open("127.0.0.1", port)
  socket.write(raw, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x85\0\0\0\0close")
  finish "a peer that never answers the close frame"
  socket.close(raw)

  id = connect()
  print("format", short(pcall(websocket.write, id, "x", "json")))
  print("utf8", short(pcall(websocket.write, id, "\xff")))
  print("option", short(pcall(websocket.connect, "ws://127.0.0.1:1", nil, nil, { max_frame = -1 })))
  print("protocol", short(pcall(websocket.connect, "http://127.0.0.1")))
  print("header", short(pcall(connect, { Upgrade = "x" })))
  websocket.close(id)
  print("after close", websocket.close(id), short(pcall(websocket.read, id)))
  print("accept", websocket.accept(999999, handle))
  skynet.abort()
end)
