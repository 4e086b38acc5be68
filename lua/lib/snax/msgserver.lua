--- snax.msgserver: a gate whose clients prove with a secret who they are, and whose requests are
--- answered once even when a client asks again over a new connection.
---
--- Invariant: a user has at most one answer a session; a later connection of the user takes the
--- earlier one's place.
--- Not here: how the secret comes about (snax/loginserver.lua), connections (snax/gateserver.lua).
---
--- First packet of a client: `USER@SERVER#SUBID:INDEX:HMAC`, everything in base64 but INDEX, which
--- grows with each connection. The answer is a line like `200 OK`. Requests end in 4 bytes of
--- session, answers in a byte that is 1 unless the request failed, and the session.

local skynet = require "skynet"
local gateserver = require "snax.gateserver"
local netpack = require "skynet.netpack"
local crypt = require "skynet.crypt"
local driver = require "skynet.socketdriver"

-- Request handlers pass requests on as messages of this type.
skynet.register_protocol {
  name = "client",
  id = skynet.PTYPE_CLIENT,
}

local b64encode, b64decode = crypt.base64encode, crypt.base64decode

--- Answers that are kept for a client that asks again, at least; twice as many at most.
local KEPT_ANSWERS = 128
local SESSION_BYTES = 4

---@class snax.msgserver.conf
---@field login_handler fun(uid: string, secret: string): any
---@field logout_handler fun(uid: string, subid: any)
---@field kick_handler fun(uid: string, subid: any)
---@field request_handler fun(username: string, message: string): string?
---@field register_handler? fun(servername: string): any
---@field disconnect_handler? fun(username: string)
---@field auth_handler? fun(username: string, fd: integer, address: string)
---@field expired_number? integer answers kept, default 128

---@class snax.msgserver.answer
---@field fd integer? who gets it
---@field packet string? when it is known
---@field version integer connection that asked
---@field order integer

---@class snax.msgserver.user
---@field username string
---@field secret string
---@field version integer index of its newest connection
---@field fd integer? while it is connected
---@field address string?
---@field last integer order of its newest answer
---@field answers table<integer, snax.msgserver.answer>

---@class snax.msgserver
local msgserver = {}

---@type table<string, snax.msgserver.user>
local users = {}
---@type table<integer, snax.msgserver.user>
local connected = {}
--- Addresses of connections that have not said who they are.
---@type table<integer, string>
local unknown = {}

--- The parts of a username.
---@param username string
---@return string uid
---@return string subid
---@return string server
function msgserver.userid(username)
  local uid, server, subid = username:match "^([^@]*)@([^#]*)#(.*)$"
  if not uid then
    error(("msgserver: %q is no username"):format(username), 2)
  end
  return b64decode(uid), b64decode(subid), b64decode(server)
end

---@param uid string
---@param subid string|integer
---@param server string
---@return string
function msgserver.username(uid, subid, server)
  return ("%s@%s#%s"):format(b64encode(uid), b64encode(server), b64encode(tostring(subid)))
end

--- Forgets a user and closes its connection.
---@param username string
function msgserver.logout(username)
  local user = users[username]
  users[username] = nil
  if user and user.fd then
    connected[user.fd] = nil
    gateserver.closeclient(user.fd)
    user.fd = nil
  end
end

--- Lets a user connect who proves to know the secret.
---@param username string
---@param secret string
function msgserver.login(username, secret)
  assert(users[username] == nil, "msgserver: the user is logged in already")
  users[username] = {
    username = username, secret = secret, version = 0, last = 0, answers = {},
  }
end

--- The address of a connected user.
---@param username string
---@return string?
function msgserver.ip(username)
  local user = users[username]
  return user and user.fd and user.address or nil
end

--- Checks the first packet of a connection; nil when the user may come in.
local function refusal(fd, address, message)
  local username, index, hmac = message:match "^([^:]*):([^:]*):([^:]*)$"
  local version = math.tointeger(tonumber(index))
  if not version then
    return "400 Bad Request"
  end
  local user = users[username]
  if not user then
    return "404 User Not Found"
  elseif version <= user.version then
    return "403 Index Expired"
  end
  local expected = crypt.hmac_hash(user.secret, ("%s:%s"):format(username, index))
  local known, given = pcall(b64decode, hmac)
  if not known or given ~= expected then
    return "401 Unauthorized"
  end
  local before = user.fd
  if before and before ~= fd then
    connected[before] = nil
    gateserver.closeclient(before)
  end
  user.version, user.fd, user.address = version, fd, address
  connected[fd] = user
end

--- Drops old answers once there are twice as many as wanted.
local function retire(user, kept)
  if user.last < 2 * kept then
    return
  end
  local last = 0
  for session, answer in pairs(user.answers) do
    answer.order = answer.order - kept
    if answer.order < 0 and answer.packet then
      user.answers[session] = nil
    else
      last = math.max(last, answer.order)
    end
  end
  user.last = last + 1
end

--- Sends an answer to whoever asked last, if that is still connected.
local function deliver(user, answer, kept)
  user.last = user.last + 1
  answer.order = user.last
  local fd = answer.fd
  answer.fd = nil
  if fd and connected[fd] then
    driver.send(fd, answer.packet)
  end
  retire(user, kept)
end

---@param conf snax.msgserver.conf
function msgserver.start(conf)
  local kept = conf.expired_number or KEPT_ANSWERS
  local commands = {
    login = assert(conf.login_handler, "msgserver: no login_handler"),
    logout = assert(conf.logout_handler, "msgserver: no logout_handler"),
    kick = assert(conf.kick_handler, "msgserver: no kick_handler"),
  }
  local request_handler = assert(conf.request_handler, "msgserver: no request_handler")

  --- The packet with what the request handler makes of a message. **Yields** when it does.
  local function answer_to(user, message, session)
    local ok, result = pcall(request_handler, user.username, message)
    if not ok then
      skynet.error(result)
    end
    local body = ok and result or ""
    return (">s2"):pack(body .. (">BI4"):pack(ok and 1 or 0, session))
  end

  local function request(fd, message)
    local user = connected[fd]
    if #message < SESSION_BYTES then
      error(("request of %d bytes without a session"):format(#message), 0)
    end
    local session = (">I4"):unpack(message, #message - SESSION_BYTES + 1)
    local answer = user.answers[session]
    if answer and answer.version == user.version then
      -- Within a connection a session is used again only after its answer.
      if not answer.packet then
        error(("Conflict session %d"):format(session), 0)
      end
      answer = nil
    end
    if answer then
      answer.fd, answer.version = fd, user.version
      if answer.packet then
        deliver(user, answer, kept)
      end
      return
    end
    answer = { fd = fd, version = user.version, order = user.last }
    user.answers[session] = answer
    answer.packet = answer_to(user, message:sub(1, -SESSION_BYTES - 1), session)
    deliver(user, answer, kept)
  end

  local handler = {}

  function handler.command(name, _, ...)
    local command = commands[name] or error(("msgserver: unknown command '%s'"):format(name), 0)
    return command(...)
  end

  function handler.open(_, gate)
    local name = assert(gate.servername, "msgserver: `open` names no servername")
    if conf.register_handler then
      return conf.register_handler(name)
    end
  end

  function handler.connect(fd, address)
    unknown[fd] = address
    gateserver.openclient(fd)
  end

  function handler.disconnect(fd)
    unknown[fd] = nil
    local user = connected[fd]
    if user then
      connected[fd] = nil
      user.fd = nil
      if conf.disconnect_handler then
        conf.disconnect_handler(user.username)
      end
    end
  end

  handler.error = handler.disconnect

  local function authenticate(fd, address, message)
    local ok, why = pcall(refusal, fd, address, message)
    if not ok then
      skynet.error(why)
      why = "400 Bad Request"
    end
    driver.send(fd, netpack.pack(why or "200 OK"))
    if why then
      gateserver.closeclient(fd)
    elseif conf.auth_handler then
      conf.auth_handler(connected[fd].username, fd, address)
    end
  end

  function handler.message(fd, packet, size)
    local message = netpack.tostring(packet, size)
    local address = unknown[fd]
    if address then
      unknown[fd] = nil
      authenticate(fd, address, message)
    elseif connected[fd] then
      local ok, why = pcall(request, fd, message)
      if not ok then
        skynet.error(("Invalid package %s : %q"):format(why, message))
        if connected[fd] then
          gateserver.closeclient(fd)
        end
      end
    end
  end

  return gateserver.start(handler)
end

return msgserver
