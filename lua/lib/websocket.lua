--- websocket: WebSocket connections of a server as objects, by callbacks or by `recv`.
---
---     local ws = websocket.new(id, header, handler)   -- after httpd.read_request
---     ws:start()                                       -- callbacks, until the end
---     local message, kind = ws:recv()                  -- or message by message
---
--- Not here: the protocol (`skynet.websocket`, native), clients (`http.websocket`).

local socket = require "skynet.socket"
local core = require "skynet.websocket"
local common = require "skynet.internal.websocket"
local sockethelper = require "http.sockethelper"

local TEXT, BINARY, PING, PONG, CLOSED =
  common.TEXT, common.BINARY, common.PING, common.PONG, common.CLOSED
local KINDS = common.KINDS

-- Opcodes that `send_frame` takes.
local CONTINUATION, CLOSE, PING_FRAME, PONG_FRAME = 0x0, 0x8, 0x9, 0xA

---@class websocket.handler
---@field on_open? fun(ws: websocket.ws)
---@field on_message? fun(ws: websocket.ws, message: string, kind: "text"|"binary")
---@field on_close? fun(ws: websocket.ws, code?: integer, reason?: string)
---@field on_ping? fun(ws: websocket.ws, data: string)
---@field on_pong? fun(ws: websocket.ws, data: string)
---@field check_origin_ok? fun(origin: string, host: string): boolean

---@class websocket.conf: websocket.limits
---@field check_origin? boolean
---@field mask_outgoing? boolean

---@class websocket.ws
---@field id integer
---@field handler websocket.handler
local ws = {}
ws.__index = ws

local function first(value)
  if type(value) == "table" then
    return value[1]
  end
  return value
end

-- A page may connect to the host that it came from.
local function same_origin(origin, host)
  local authority = origin:match "^%a[%w+.-]*://([^/?#]*)"
  return authority ~= nil and host ~= nil and authority:lower() == host:lower()
end

local function call(self, event, ...)
  local f = self.handler[event]
  if f then
    return f(self, ...)
  end
end

local function refuse(self, status, reason)
  core.refuse(self.id, status, reason)
  socket.close(self.id)
  self.ended = reason
  return self, reason
end

--- Answers a request that `http.httpd` has read, and tells `on_open`. A refused one gets its error of
--- HTTP; its object has ended already, and the reason is the second result.
---@param id integer
---@param header table
---@param handler? websocket.handler
---@param conf? websocket.conf
---@return websocket.ws
---@return string? reason
function ws.new(id, header, handler, conf)
  conf = conf or {}
  local self = setmetatable({ id = id, handler = handler or {}, check_origin = conf.check_origin }, ws)
  self.mask_outgoing = conf.mask_outgoing
  local limits = common.limits(conf, conf.mask_outgoing)
  local origin = first(header.origin) or first(header["sec-websocket-origin"])
  if origin and conf.check_origin then
    local allows = self.handler.check_origin_ok or same_origin
    if not allows(origin, first(header.host)) then
      return refuse(self, 403, "Cross origin websockets not allowed")
    end
  end
  local upgrade = common.flatten({ "GET", "/" }, header)
  local connection, reason, status = core.accept(id, limits, nil, upgrade, sockethelper.take_back(id))
  if not connection then
    return refuse(self, status or 400, reason)
  end
  self.connection = connection
  core.release(id)
  -- The head is known already.
  core.next(connection)
  call(self, "on_open")
  return self
end

-- Takes what happens until there is a message, or the end.
local function receive(self)
  if self.ended then
    return false, self.ended, self.code
  end
  while true do
    local kind, a, b, c = core.next(self.connection)
    if kind == TEXT or kind == BINARY then
      return a, KINDS[kind]
    elseif kind == PING then
      call(self, "on_ping", a)
    elseif kind == PONG then
      call(self, "on_pong", a)
    elseif kind == CLOSED or not kind then
      self.ended, self.code = c ~= "" and c or "closed", b
      call(self, "on_close", b, c ~= "" and c or nil)
      return false, self.ended, b
    end
  end
end

--- The next message and its kind, which `on_message` is told as well. **Yields.** False, a reason and
--- the close code at the end, which `on_close` is told.
---@return string|false message
---@return string kind_or_reason
---@return integer? code
function ws:recv()
  local message, kind, code = receive(self)
  if message then
    call(self, "on_message", message, kind)
  end
  return message, kind, code
end

--- As `recv`, but without `on_message`, in the form of frames: true, true, message and kind; false, nil
--- and a reason at the end. **Yields.**
---@return boolean ok
---@return boolean? final
---@return string message_or_reason
---@return string? kind
function ws:recv_frame()
  local message, kind = receive(self)
  if message then
    return true, true, message, kind
  end
  return false, nil, kind
end

--- Serves the connection by callbacks until it ends. **Yields.**
function ws:start()
  local ok, err
  repeat
    ok, err = pcall(self.recv, self)
  until not ok or not err
  if not ok then
    if self.connection then
      core.close(self.connection, 1011)
    end
    error(err, 0)
  end
end

local function sent(self, data, kind, last)
  if not self.connection then
    return false, self.ended
  end
  local ok, reason = core.send(self.connection, data or "", kind, nil, last)
  return ok or false, reason
end

--- Sends a text. False and a reason when the connection is closed.
---@param data string
---@return boolean ok
---@return string? reason
function ws:send_text(data)
  return sent(self, data, TEXT)
end

--- Sends bytes, likewise.
---@param data string
---@return boolean ok
---@return string? reason
function ws:send_binary(data)
  return sent(self, data, BINARY)
end

local function ping(self, data, pong)
  if not self.connection then
    return false, self.ended
  end
  local ok, reason = core.ping(self.connection, data, pong)
  return ok or false, reason
end

--- Sends a ping.
---@param data? string at most 125 bytes
---@return boolean ok
---@return string? reason
function ws:send_ping(data)
  return ping(self, data, false)
end

--- Sends a pong that nobody asked for; pings are answered without it.
---@param data? string at most 125 bytes
---@return boolean ok
---@return string? reason
function ws:send_pong(data)
  return ping(self, data, true)
end

--- Sends one frame; a message in parts has `fin` at its last and the opcode 0 from its second on.
---@param fin boolean
---@param opcode integer
---@param data? string
---@return boolean ok
---@return string? reason
function ws:send_frame(fin, opcode, data)
  if opcode == TEXT or opcode == BINARY or opcode == CONTINUATION then
    return sent(self, data, opcode, fin and true or false)
  elseif opcode == PING_FRAME or opcode == PONG_FRAME then
    return ping(self, data, opcode == PONG_FRAME)
  elseif opcode == CLOSE then
    local code
    if data and #data >= 2 then
      code, data = (">I2"):unpack(data), data:sub(3)
    end
    self:close(code, data)
    return true
  end
  error(("websocket: there is no frame with the opcode %s"):format(tostring(opcode)), 2)
end

--- Begins the closing handshake. `on_close` tells when the peer has answered.
---@param code? integer
---@param reason? string
function ws:close(code, reason)
  if self.connection and not self.ended then
    common.close(self.id, self.connection, code, reason)
  end
end

return ws
