--- snax.loginserver: a port where clients agree on a secret, prove a token, and are handed to a
--- game server.
---
--- Invariant: nobody is logged in whose exchange was not finished, and no token is read before the
--- client has proven the secret. Each client gets one line in answer unless its connection broke.
--- Not here: what the secret is used for afterwards (snax/msgserver.lua).
---
--- Lines, in base64: S challenge; C 8 byte of public key; S the same; C hmac64(challenge, secret);
--- C the token under DES with the secret; S `200 SUBID`, `401 Unauthorized`, `403 Forbidden` or
--- `406 Not Acceptable`. The exchange runs in slaves, which are services of the same script.

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

--- Most bytes of a line; who sends more is cut off.
local LONGEST_LINE = 8192
local KEY_BYTES = 8
local SLAVES = 8

--- Raised when the connection is gone, so that nothing is answered.
local BROKEN = {}

---@class snax.loginserver.conf
---@field host? string default "0.0.0.0"
---@field port integer|string
---@field name? string local name of the service, default "login"
---@field instance? integer slaves, default 8
---@field multilogin? boolean the same user may log in twice at a time
---@field auth_handler fun(token: string): string, string server and uid
---@field login_handler fun(server: string, uid: string, secret: string): any subid
---@field command_handler fun(command: string, ...): any

local function write(fd, text)
  if not socket.write(fd, text) then
    error(BROKEN)
  end
end

local function read_decoded(fd)
  return crypt.base64decode(socket.readline(fd) or error(BROKEN))
end

--- The exchange with one client: its token and the secret. **Yields.**
local function exchange(fd)
  local challenge = crypt.randomkey()
  write(fd, crypt.base64encode(challenge) .. "\n")
  local public = read_decoded(fd)
  if #public ~= KEY_BYTES then
    error("Invalid client key", 0)
  end
  local private = crypt.randomkey()
  write(fd, crypt.base64encode(crypt.dhexchange(private)) .. "\n")
  local secret = crypt.dhsecret(public, private)
  if read_decoded(fd) ~= crypt.hmac64(challenge, secret) then
    error("challenge failed", 0)
  end
  return crypt.desdecode(secret, read_decoded(fd)), secret
end

--- What a slave tells the master: true, server, uid, secret; or false and why; or nil when the
--- connection is gone.
local function authenticate(fd, auth_handler)
  local ok, token, secret = pcall(exchange, fd)
  if not ok then
    if token == BROKEN then
      return nil, "socket error"
    end
    return false, tostring(token)
  end
  local accepted, server, uid = pcall(auth_handler, token)
  if not accepted then
    return false, tostring(server)
  end
  return true, server, uid, secret
end

local function run_slave(auth_handler)
  skynet.dispatch("lua", function(_, _, fd, address)
    skynet.error(("connect from %s (fd = %d)"):format(address, fd))
    if not socket.start(fd) then
      skynet.retpack(nil, "socket error")
      return
    end
    socket.limit(fd, LONGEST_LINE)
    local answer = table.pack(authenticate(fd, auth_handler))
    -- The master goes on with it.
    socket.abandon(fd)
    skynet.retpack(table.unpack(answer, 1, answer.n))
  end)
end

local function run_master(conf)
  local login_handler = assert(conf.login_handler, "loginserver: no login_handler")
  local command_handler = assert(conf.command_handler, "loginserver: no command_handler")
  local logging_in = {}

  --- Logs one client in. **Yields.** Raises what failed, after the client has been told.
  local function accept(slave, fd, address)
    local ok, server, uid, secret = skynet.call(slave, "lua", fd, address)
    if not ok then
      if ok ~= nil then
        write(fd, "401 Unauthorized\n")
      end
      error(server, 0)
    end
    if not conf.multilogin then
      if logging_in[uid] then
        write(fd, "406 Not Acceptable\n")
        error(("User %s is already login"):format(uid), 0)
      end
      logging_in[uid] = true
    end
    local entered, subid = pcall(login_handler, server, uid, secret)
    logging_in[uid] = nil
    if not entered then
      write(fd, "403 Forbidden\n")
      error(subid, 0)
    end
    write(fd, ("200 %s\n"):format(crypt.base64encode(tostring(subid or ""))))
  end

  local slaves, turn = {}, 0
  skynet.dispatch("lua", function(_, _, command, ...)
    skynet.retpack(command_handler(command, ...))
  end)
  for index = 1, conf.instance or SLAVES do
    slaves[index] = skynet.newservice(SERVICE_NAME)
  end

  local host, port = conf.host or "0.0.0.0", assert(tonumber(conf.port), "loginserver: no port")
  local listener, bound_host, bound_port = socket.listen(host, port)
  skynet.error(("login server listen at : %s %d"):format(bound_host or host, bound_port or port))
  socket.start(listener, function(fd, address)
    turn = turn % #slaves + 1
    local ok, why = pcall(accept, slaves[turn], fd, address)
    if not ok and why ~= BROKEN then
      skynet.error(("invalid client (fd = %d) error = %s"):format(fd, why))
    end
    socket.close_fd(fd)
  end)
end

--- Makes this service a login server, or one of its slaves when there is one of this name.
---@param conf snax.loginserver.conf
return function(conf)
  local name = "." .. (conf.name or "login")
  skynet.start(function()
    if skynet.localname(name) then
      run_slave(assert(conf.auth_handler, "loginserver: no auth_handler"))
    else
      assert(conf.auth_handler, "loginserver: no auth_handler")
      skynet.register(name)
      run_master(conf)
    end
  end)
end
