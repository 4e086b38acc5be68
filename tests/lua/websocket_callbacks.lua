-- since: 1.8.9
-- config: websocket_close_timeout = 0.2
-- the module websocket in its callback style: opening, kinds, pings, closing by either side, faults
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "websocket"
local client = require "http.websocket"
require "skynet.manager"

local port
local log, ended, conf = {}, {}, nil
local handler = {}

local function note(...)
  local words = table.pack(...)
  for index = 1, words.n do
    local word = words[index]
    words[index] = word == "" and "(nothing)"
      or tostring(word):gsub("[^%g ]", function(c) return ("<%02x>"):format(c:byte()) end)
  end
  log[#log + 1] = table.concat(words, " ")
end

function handler.on_open(ws)
  note("open", ws:send_text("welcome"))
end

function handler.on_message(ws, message, kind)
  note("message", message, kind)
  if message == "close" then
    ws:close(4001, "as you wish")
    note("sent behind it", ws:send_text("too late"))
  elseif message == "bad code" then
    ws:close(1006, "never on the wire")
  elseif message == "parts" then
    ws:send_frame(false, 0x1, "one ")
    ws:send_ping("between")
    ws:send_frame(true, 0x0, "two")
  elseif kind == "binary" then
    ws:send_binary(message)
  else
    ws:send_text(message)
  end
end

function handler.on_pong(_, data)
  note("pong", data)
end

function handler.on_close(_, code, reason)
  note("close", code, reason)
end

local function serve(id)
  socket.start(id)
  local code, url, _, header = httpd.read_request(sockethelper.readfunc(id), 8192)
  if code == 200 then
    local ws, reason = websocket.new(id, header, handler, conf)
    note("new", url, reason)
    ws:start()
    note("start has returned", ws:recv())
  end
end

local function finish(title)
  if #ended == 0 then skynet.wait(ended) end
  table.remove(ended)
  print("--", title)
  print(table.concat(log, "\n"))
  log = {}
end

local function connect(header)
  local ok, id = pcall(client.connect, ("ws://127.0.0.1:%d/ws"):format(port), header)
  if not ok then
    return nil, (id:gsub("^.-: ", ""))
  end
  return id, client.read(id)
end

skynet.start(function()
  local lid, _
  lid, _, port = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id)
    local ok, err = pcall(serve, id)
    if not ok then note("raised", (tostring(err):gsub("^.-:%d+: ", ""))) end
    ended[#ended + 1] = true
    skynet.wakeup(ended)
  end)

  local id, welcome = connect()
  print("client", welcome)
  client.write(id, "text", "text")
  print("client", client.read(id))
  client.write(id, "\0\xff", "binary")
  print("client", client.read(id) == "\0\xff")
  client.write(id, "parts")
  print("client", client.read(id))
  client.ping(id, "hello?")
  client.close(id, 1000, "client first")
  finish "client first"

  id = connect()
  client.write(id, "close")
  local message, payload = client.read(id)
  print("client", message, payload:byte(1) * 256 + payload:byte(2), payload:sub(3) ~= "" and payload:sub(3) or "(no reason)")
  finish "server first"

  id = connect()
  client.write(id, "bad code")
  message, payload = client.read(id)
  print("client", message, payload:byte(1) * 256 + payload:byte(2), payload:sub(3) ~= "" and payload:sub(3) or "(no reason)")
  finish "a code that must not be sent"

  local raw = socket.open("127.0.0.1", port)
  socket.write(raw, "GET /raw HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    .. "\x81\x85\0\0\0\0first\x89\x80\0\0\0\0")
  print("raw", socket.readline(raw, "\r\n"))
  socket.readline(raw, "\r\n\r\n")
  print("raw", socket.read(raw, 2) == "\x8a\0", socket.read(raw, 9):sub(3), socket.read(raw, 7):sub(3))
  socket.close(raw)
  finish "a frame behind the handshake, then a lost connection"

  raw = socket.open("127.0.0.1", port)
  socket.write(raw, "GET /raw HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n")
  print("raw", (socket.readall(raw):gsub("\r\n\r\n.*", ""):gsub("\r\n", " | ")))
  socket.close(raw)
  finish "a wrong version: no on_open"

  conf = { check_origin = true }
  print("client", connect { Origin = "https://evil.example" })
  finish "another origin"
  id, welcome = connect { Origin = ("http://127.0.0.1:%d"):format(port) }
  print("client", welcome)
  client.close(id)
  finish "the same origin"

  conf = nil
  function handler.on_message() error "handler broke" end
  id = connect()
  client.write(id, "x")
  message, payload = client.read(id)
  print("client", message, payload:byte(1) * 256 + payload:byte(2), payload:sub(3) ~= "" and payload:sub(3) or "(no reason)")
  finish "a callback that raises"
  skynet.abort()
end)
