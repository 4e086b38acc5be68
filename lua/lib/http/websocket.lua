--- http.websocket: WebSocket connections, by callbacks as a server and by `read` as a client.
---
--- A connection is known by the number of its socket. Pings are answered, close frames exchanged and
--- time limits held without any Lua.
--- Not here: the protocol (`skynet.websocket`, native), the other way to write it (`websocket`).

local skynet = require "skynet"
local socket = require "skynet.socket"
local core = require "skynet.websocket"
local internal = require "skynet.internal"
local common = require "skynet.internal.websocket"
local sockethelper = require "http.sockethelper"

local error, type, tostring, xpcall, pcall = error, type, tostring, xpcall, pcall
local next_event, send = core.next, core.send
local TEXT, BINARY, PING, PONG, OPEN, CLOSED =
  common.TEXT, common.BINARY, common.PING, common.PONG, common.OPEN, common.CLOSED
local KINDS = common.KINDS

-- Of the options of `connect` those that TLS has too.
local TLS_OPTIONS = { "verify", "ca", "certfile", "keyfile", "ciphers" }

local websocket = {}

---@class websocket.object
---@field id integer
---@field mode "server"|"client"
---@field addr? string
---@field real_ip? string
---@field handle? websocket.handle
---@field connection? userdata

---@class websocket.handle what happens to a connection; each gets its id first
---@field connect? fun(id: integer)
---@field handshake? fun(id: integer, header: table, url: string)
---@field message? fun(id: integer, message: string, kind: "text"|"binary")
---@field ping? fun(id: integer, data: string)
---@field pong? fun(id: integer, data: string)
---@field close? fun(id: integer, code?: integer, reason?: string)
---@field error? fun(id: integer, reason: string)
---@field warning? fun(ws: websocket.object, kilobytes: integer)

---@class websocket.options: websocket.limits
---@field upgrade? {header: table, method: string, url: string} a request that was read already
---@field protocols? string[] subprotocols to choose from; `chat` alone if absent
---@field certfile? string
---@field keyfile? string

---@class websocket.connect_options: websocket.limits, skynet.socket.tls.options
---@field hostname? string name that the certificate of a `wss` server has to have, if not that of the URL

---@type table<integer, websocket.object>
local pool = {}

local function object(id)
  local ws = pool[id]
  if not ws then
    error(("websocket %s is not open in this service"):format(tostring(id)), 3)
  end
  return ws
end

local function tell(ws, event, ...)
  local handle = ws.handle
  local f = handle and handle[event]
  if f then
    f(ws.id, ...)
  end
end

-- Lets go of the connection, which goes on by itself as far as its closing handshake needs.
local function forget(ws)
  if pool[ws.id] == ws then
    pool[ws.id] = nil
  end
  core.release(ws.id)
end

-- What `handle` is told of the end; false and a reason when the peer is to blame.
local function tell_end(ws, closed_here, how, code, reason)
  if how == "clean" then
    tell(ws, "close", code, reason)
  elseif how == "refused" and code or closed_here then
    tell(ws, "close", how ~= "refused" and code or nil, reason)
  elseif ws.handle and ws.handle.error then
    tell(ws, "error", reason)
  else
    tell(ws, "close", code, reason)
  end
  if how == "failed" then
    return false, reason
  end
  return true
end

local function serve(ws, limits, protocols, upgrade)
  local id = ws.id
  tell(ws, "connect")
  if pool[id] ~= ws then
    return true
  end
  local list, early
  if upgrade then
    list = common.flatten({ tostring(upgrade.method or "GET"), tostring(upgrade.url or "/") }, upgrade.header)
    early = sockethelper.take_back(id)
  end
  local connection, reason, status = core.accept(id, limits, protocols, list, early)
  if not connection then
    if status then
      core.refuse(id, status, reason)
      socket.close(id)
      return tell_end(ws, false, "refused", status, reason)
    end
    return tell_end(ws, false, "lost", 1006, reason)
  end
  ws.connection = connection
  while true do
    local kind, a, b, c = next_event(connection)
    if kind == TEXT or kind == BINARY then
      local message = ws.handle and ws.handle.message
      if message then
        message(id, a, KINDS[kind])
      end
    elseif kind == PING then
      tell(ws, "ping", a)
    elseif kind == PONG then
      tell(ws, "pong", a)
    elseif kind == OPEN then
      ws.real_ip = b["x-real-ip"]
      tell(ws, "handshake", b, a)
    elseif kind == CLOSED then
      local closed_here = pool[id] ~= ws
      forget(ws)
      return tell_end(ws, closed_here, a, b, c)
    else
      return true
    end
  end
end

-- Seconds for TLS, which has as long as the opening handshake behind it.
local function time_for_tls(limits)
  return limits[4] or tonumber(skynet.getenv "websocket_handshake_timeout") or 10
end

local function secure_server(id, limits, options)
  local tls = require "skynet.socket.tls"
  local certfile = options.certfile or skynet.getenv "certfile" or "./server-cert.pem"
  local keyfile = options.keyfile or skynet.getenv "keyfile" or "./server-key.pem"
  return tls.server(id, certfile, keyfile, { handshake_timeout = time_for_tls(limits) })
end

local function secure_client(id, limits, name, options)
  local tls = require "skynet.socket.tls"
  local wanted = { handshake_timeout = time_for_tls(limits) }
  for _, field in ipairs(options and TLS_OPTIONS or {}) do
    wanted[field] = options[field]
  end
  return tls.client(id, options and options.hostname or name, wanted)
end

--- Serves a connection until it ends. **Yields.** The socket may have been accepted by another
--- service. False and a reason when it could not be taken over, when the peer broke the protocol, or
--- when a function of `handle` has raised.
---@param id integer
---@param handle websocket.handle
---@param protocol? "ws"|"wss"
---@param addr? string
---@param options? websocket.options
---@return boolean
---@return string? reason
function websocket.accept(id, handle, protocol, addr, options)
  protocol = protocol or "ws"
  options = options or {}
  if protocol ~= "ws" and protocol ~= "wss" then
    error(("invalid websocket protocol:%s"):format(tostring(protocol)))
  end
  local limits = common.limits(options)
  local protocols = table.concat(options.protocols or { "chat" }, " ")
  if not options.upgrade then
    local started, reason = socket.start(id)
    if not started then
      return false, reason
    end
  end
  if protocol == "wss" then
    local ok, reason = secure_server(id, limits, options)
    if not ok then
      return false, reason
    end
  end
  local ws = { id = id, mode = "server", handle = handle, addr = addr }
  pool[id] = ws
  local on_warning = handle and handle.warning
  if on_warning and not pcall(socket.warning, id, function(_, kilobytes) on_warning(ws, kilobytes) end) then
    forget(ws)
    return false, "connect is closed " .. id
  end
  local ok, served, reason = xpcall(serve, internal.traceback, ws, limits, protocols, options.upgrade)
  if not ok then
    if ws.connection then
      core.close(ws.connection, 1011)
    else
      socket.close(id)
    end
    forget(ws)
    return false, served
  end
  forget(ws)
  return served, reason
end

-- Host as the request says it, name, port and path of a URL.
local function parse(url)
  local protocol, host, path = tostring(url):match "^(%a+)://([^/?#]+)([^#]*)"
  if protocol ~= "ws" and protocol ~= "wss" then
    error(("invalid protocol: %s"):format(tostring(protocol)), 3)
  end
  local name, port = host:match "^%[(.-)%]:?(%d*)$"
  if not name then
    name, port = host:match "^([^:]+):?(%d*)$"
  end
  if not name then
    error(("invalid host: %s"):format(host), 3)
  end
  if path:sub(1, 1) ~= "/" then
    path = "/" .. path
  end
  return protocol, host, name, tonumber(port) or (protocol == "ws" and 80 or 443), path
end

--- Connects to a server; the id of the connection. **Yields.** Raises why there is none.
---@param url string
---@param header? table more lines of the request
---@param timeout? integer centiseconds for the connection, for TLS, and for the answer, each
---@param options? websocket.connect_options
---@return integer id
function websocket.connect(url, header, timeout, options)
  local protocol, host, name, port, path = parse(url)
  local limits = common.limits(options)
  if timeout and not limits[4] then
    limits[4] = timeout / 100
  end
  local id = sockethelper.connect(name, port, timeout)
  if protocol == "wss" then
    local ok, reason = secure_client(id, limits, name, options)
    if not ok then
      error(reason)
    end
  end
  local connection, reason = core.connect(id, limits, host, path, common.flatten({}, header))
  if not connection then
    socket.close(id)
    error(reason)
  end
  core.release(id)
  local kind, how, _, why = next_event(connection)
  if kind ~= OPEN then
    error(why or how)
  end
  pool[id] = { id = id, mode = "client", addr = host, connection = connection }
  return id
end

--- The next message. **Yields.** False and the payload of the close frame when the peer has closed;
--- raises the socket's error when the connection is lost.
---@param id integer
---@return string|false message
---@return string? payload
function websocket.read(id)
  local ws = object(id)
  while true do
    local kind, a, b, c = next_event(ws.connection)
    if kind == TEXT or kind == BINARY then
      return a
    elseif kind == CLOSED then
      forget(ws)
      if a == "clean" then
        return false, b and (">I2"):pack(b) .. c or ""
      end
      error(sockethelper.socket_error(c))
    elseif not kind then
      error(sockethelper.socket_error("the websocket is closed"))
    end
  end
end

--- Sends a message. Raises the socket's error when the connection is closed.
---@param id integer
---@param data string
---@param fmt? "text"|"binary"
---@param masking_key? integer the mask to use; a client's frames have a random one without it
function websocket.write(id, data, fmt, masking_key)
  local ws = pool[id] or object(id)
  local kind = (fmt == nil or fmt == "text") and TEXT or fmt == "binary" and BINARY
  if not kind then
    error(("websocket: invalid format of a message: %s (text or binary expected)"):format(tostring(fmt)), 2)
  end
  local ok, reason = send(ws.connection, data, kind, masking_key)
  if not ok then
    error(sockethelper.socket_error(reason))
  end
end

--- Sends a ping.
---@param id integer
---@param data? string
function websocket.ping(id, data)
  local ok, reason = core.ping(object(id).connection, data)
  if not ok then
    error(sockethelper.socket_error(reason))
  end
end

--- The address given to `accept`, or the host connected to.
---@param id integer
---@return string?
function websocket.addrinfo(id)
  return object(id).addr
end

--- The header `x-real-ip` of the request, as proxies set it.
---@param id integer
---@return string?
function websocket.real_ip(id)
  return object(id).real_ip
end

--- Whether it was closed here, or its end was seen.
---@param id integer
---@return boolean
function websocket.is_close(id)
  return not pool[id]
end

--- Begins the closing handshake and forgets the connection. The callback `close` tells when the
--- peer has answered.
---@param id integer
---@param code? integer
---@param reason? string
function websocket.close(id, code, reason)
  local ws = pool[id]
  if not ws then
    return
  end
  pool[id] = nil
  if ws.connection then
    common.close(id, ws.connection, code, reason)
    if ws.mode == "client" then
      core.release(id)
    end
  else
    socket.close(id)
  end
end

return websocket
