-- What scripts/web.lua does by callbacks, in the direct style: a loop of its own for each connection takes message by
-- message from `ws:recv()`. What is known of a connection stands in local variables.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "websocket"

-- Talks to one client, in a coroutine of its own.
local function talk(id, address)
  socket.start(id)
  local code, _, _, header = httpd.read_request(sockethelper.readfunc(id), 8192)
  if code ~= 200 then
    socket.close(id)
    return
  end
  -- Without a handler there are no callbacks. Who asks for no WebSocket gets an error of HTTP, and `recv` the reason.
  local ws = websocket.new(id, header)
  ws:send_text("hello " .. address)

  local count = 0
  -- `recv` waits for a message; only this coroutine waits. At the end it gives false, the reason and the close code.
  local message, kind, close_code = ws:recv()
  while message do
    count = count + 1
    if kind == "binary" then
      ws:send_binary(message)
    elseif message == "bye" then
      ws:close(1000, "bye")
    else
      ws:send_text(("%s %s, your number %d"):format(os.date "%H:%M:%S", message, count))
    end
    message, kind, close_code = ws:recv()
  end
  skynet.error(("%s: %d messages, then %s (%s)"):format(address, count, close_code or "no code", kind))
end

skynet.start(function()
  local listener, host, port = socket.listen(skynet.getenv "listen")
  socket.start(listener, talk)
  skynet.error(("listening at ws://%s:%d/"):format(host, port))
end)
