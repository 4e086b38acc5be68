-- A service that browsers talk to: a page at `/`, and at `/ws` the WebSocket that the page opens. The config says by
-- `web` where it listens.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "websocket"

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>node</title>
<h1>node</h1>
<form><input autofocus placeholder="a message, or bye"> <button>Send</button></form>
<pre></pre>
<script>
  const form = document.querySelector("form"), field = document.querySelector("input");
  const show = text => document.querySelector("pre").append(text + "\n");
  const ws = new WebSocket("ws://" + location.host + "/ws");

  ws.onmessage = event => show(event.data);
  ws.onclose = event => {
    show(`closed with ${event.code} ${event.reason} (${event.wasClean ? "clean" : "lost"})`);
    field.disabled = true;
  };
  form.onsubmit = event => {
    event.preventDefault();
    ws.send(field.value);
    field.value = "";
  };
</script>
</html>
]]

-- What happens to a WebSocket. Each function gets the connection first; connections do not wait for each other.
local handler = {}

function handler.on_open(ws)
  ws:send_text("hello, this is the service web at " .. skynet.address(skynet.self()))
end

-- `kind` is "text" or "binary". A text is valid UTF-8, other bytes need not be.
function handler.on_message(ws, message, kind)
  if kind == "binary" then
    ws:send_binary(message)
  elseif message == "bye" then
    -- The browser answers the close frame; then both ends know, and its `onclose` has this code and reason.
    ws:close(1000, "bye")
  else
    ws:send_text(os.date "%H:%M:%S" .. " " .. message)
  end
end

-- A close frame need not hold a code. 1006 is that of a connection that was lost without a close frame.
function handler.on_close(ws, code, reason)
  skynet.error(("web: WebSocket %d closed: %s %s"):format(ws.id, code or "no code,", reason or "no reason"))
end

local function respond(id, code, body)
  local header = { ["content-type"] = "text/html; charset=utf-8", connection = "close" }
  httpd.write_response(sockethelper.writefunc(id), code, body, header)
  socket.close(id)
end

-- Serves one connection, in a coroutine of its own.
local function serve(id)
  socket.start(id)
  -- Up to 8 KiB of body. `code` is nil when the connection ended before there was a request.
  local code, url, method, header = httpd.read_request(sockethelper.readfunc(id), 8192)
  if not code then
    socket.close(id)
  elseif code ~= 200 then
    respond(id, code, "")
  elseif url == "/ws" then
    -- Pages of other hosts are refused. `start` returns when the connection has ended.
    websocket.new(id, header, handler, { check_origin = true }):start()
  elseif url ~= "/" then
    respond(id, 404, "there is nothing here")
  elseif method ~= "GET" then
    respond(id, 405, "")
  else
    respond(id, 200, PAGE)
  end
end

skynet.start(function()
  local web = skynet.getenv "web"
  local ok, listener, host, port = pcall(socket.listen, web)
  if ok then
    socket.start(listener, serve)
    skynet.error(("web: open http://%s:%d/ in a browser"):format(host, port))
  else
    -- Another program may have the port. The other services can do without the page.
    skynet.error(("web: no page at %s: %s"):format(web, listener))
    skynet.exit()
  end
end)
