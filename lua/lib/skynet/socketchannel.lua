--- skynet.socketchannel: requests and answers over one connection, which is made again when lost.
---
--- Two modes. With a `response` function, answers name the session of their request and come in any
--- order. Without, answers come in the order of the requests, and each request brings the function
--- that reads its answer.
---
--- Invariant: a request waits on the connection it was written to, and gets exactly one of its
--- answer and the failure of that connection. A new connection knows nothing of the old one.
--- Not here: what is written and read (the users: redis, mysql, mongo, …), time limits.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local reader = require "skynet.internal.channel_reader"

local assert, error, pcall, running = assert, error, pcall, coroutine.running
local wait, wakeup = skynet.wait, skynet.wakeup
local drop, fail, socket_error = reader.drop, reader.fail, reader.error
local disconnected, lwrite, write = socket.disconnected, socket.lwrite, socket.write

--- How much longer each try to connect waits than the one before, and when that begins anew, in
--- hundredths of a second.
local RETRY_STEP, RETRY_LONGEST = 100, 1000

---@class skynet.socketchannel.conf
---@field host string
---@field port? integer not needed when `host` is "host:port"
---@field auth? fun(channel: skynet.socketchannel.channel) runs after each connect
---@field response? fun(sock: skynet.socketchannel.sock): any, boolean, any, boolean? session, ok, data, more
---@field backup? (string|{ host: string, port: integer })[]
---@field nodelay? boolean
---@field overload? fun(overloaded: boolean)
---@field socket_read? function in place of the method `read` of the connection
---@field socket_readline? function in place of its method `readline`

---@class skynet.socketchannel.channel
---@field __sock skynet.socketchannel.sock|false
local Channel = {}
Channel.__index = Channel

local socketchannel = { error = socket_error }

--- Makes a channel; it connects when first used.
---@param conf skynet.socketchannel.conf
---@return skynet.socketchannel.channel
function socketchannel.channel(conf)
  local methods = reader.methods
  if conf.socket_read or conf.socket_readline then
    methods = {
      read = conf.socket_read or methods.read,
      readline = conf.socket_readline or methods.readline,
    }
  end
  return setmetatable({
    __host = assert(conf.host, "socketchannel: no host"),
    __port = conf.port,
    __backup = conf.backup,
    __auth = conf.auth,
    __response = conf.response,
    __nodelay = conf.nodelay,
    __overload = conf.overload,
    __overloaded = false,
    __methods = { __index = methods, __gc = reader.collect },
    __sock = false,
    __closed = false,
    __authenticator = false, -- the coroutine in which `auth` runs
    __joined = false, -- those who wait for a connect under way
    __moves = 0, -- how often the address was changed
  }, Channel)
end

--- Notes a request that waits, and waits for its answer. **Yields.**
local function wait_for(channel, sock, response)
  local ticket = { read = response }
  if channel.__response then
    sock.waiting[response] = ticket
  else
    sock.last = sock.last + 1
    sock.waiting[sock.last] = ticket
    if sock.idle then
      sock.idle = false
      wakeup(sock)
    end
  end
  wait(ticket)
  if ticket.ok == socket_error then
    error(ticket.data or socket_error)
  end
  return assert(ticket.ok, ticket.data) and ticket.data
end

--- Passes on to the script when too much waits to be sent, and when that is over.
local function watch_overload(channel, fd)
  local function on_warning(id, kilobytes)
    local sock = channel.__sock
    if not sock or sock[1] ~= id then
      return
    end
    local overloaded = kilobytes > 0
    if overloaded ~= channel.__overloaded then
      channel.__overloaded = overloaded
      channel.__overload(overloaded)
    elseif overloaded then
      skynet.error(("WARNING: %d K bytes need to send out (fd = %d)"):format(kilobytes, id),
        channel.__host, channel.__port)
    end
  end
  -- Whatever the last connection had to send is gone with it.
  skynet.fork(on_warning, fd, 0)
  socket.warning(fd, on_warning)
end

--- Makes the open socket `fd` the connection of the channel, and starts its reader.
local function attach(channel, fd)
  if channel.__nodelay then
    driver.nodelay(fd)
  end
  if channel.__overload then
    watch_overload(channel, fd)
  end
  local sock = setmetatable({ fd, waiting = {} }, channel.__methods)
  channel.__sock = sock
  if channel.__response then
    skynet.fork(reader.by_session, channel, sock)
  else
    sock.first, sock.last = 1, 0
    if socket.onclose then
      socket.onclose(fd, function()
        if sock.idle and channel.__sock == sock then
          skynet.error("socket closed by peer : ", channel.__host, channel.__port)
          drop(channel, sock)
        end
      end)
    end
    skynet.fork(reader.in_order, channel, sock)
  end
  return sock
end

--- Runs the script's `auth` on a new connection; gives nothing, or why it failed. **Yields.**
local function authenticate(channel, sock)
  channel.__authenticator = running()
  local ok, why = pcall(channel.__auth, channel)
  if not ok then
    drop(channel, sock)
    if why ~= socket_error then
      skynet.error("socket: auth failed", why)
    end
  end
  channel.__authenticator = false
  if not ok then
    return why
  elseif channel.__sock ~= sock then
    return socket_error
  end
end

--- Adds to `list` what is not in `tried`: the channel's own address if nothing was tried, and its
--- backups.
local function add_untried(channel, list, tried)
  local function add(host, port)
    local key = ("%s:%s"):format(host, port)
    if not tried[key] then
      tried[key] = true
      table.insert(list, { host, port })
    end
  end
  if not next(tried) then
    add(channel.__host, channel.__port)
  end
  for _, address in ipairs(channel.__backup or {}) do
    if type(address) == "table" then
      add(address.host, address.port)
    else
      add(address, channel.__port)
    end
  end
end

--- Tries each address once, from the start again when the script has changed the address
--- meanwhile; gives nothing, or why all failed. **Yields.**
local function connect_once(channel)
  local list, tried, moves, failure
  repeat
    if channel.__moves ~= moves then
      list, tried, moves = {}, {}, channel.__moves
      add_untried(channel, list, tried)
    else
      skynet.error("socket: connect to backup host", list[1][1], list[1][2])
    end
    local host, port = table.unpack(table.remove(list, 1))
    local fd, why = socket.open(host, port)
    if fd and (channel.__closed or channel.__moves ~= moves) then
      pcall(socket.close, fd)
    elseif fd then
      channel.__host, channel.__port = host, port
      local sock = attach(channel, fd)
      why = channel.__auth and authenticate(channel, sock)
      if not why then
        return
      end
      -- The script may have named further backups when it looked at this one.
      add_untried(channel, list, tried)
    end
    failure = why or failure
    if channel.__closed then
      return "channel closed"
    end
  until channel.__moves == moves and #list == 0
  return tostring(failure)
end

--- Connects, over and over unless `once`; gives nothing, or why it failed. **Yields.**
local function try_connect(channel, once)
  local delay = 0
  while not channel.__closed do
    local why = connect_once(channel)
    if not why then
      if not once then
        skynet.error("socket: connect to", channel.__host, channel.__port)
      end
      return
    elseif once then
      return why
    end
    skynet.error("socket: connect", why)
    if delay > RETRY_LONGEST then
      skynet.error("socket: try to reconnect", channel.__host, channel.__port)
      skynet.sleep(delay)
      delay = 0
    else
      skynet.sleep(delay)
    end
    delay = delay + RETRY_STEP
  end
end

--- The connection, if the running coroutine may use it now; false when the channel is closed, nil
--- when it has to be made. **Yields** when it finds the connection lost.
local function usable(channel)
  local sock = channel.__sock
  if sock then
    local authenticator = channel.__authenticator
    if disconnected(sock[1]) then
      skynet.error("socket: disconnect detected ", channel.__host, channel.__port)
      drop(channel, sock)
      if authenticator == running() then
        return false -- it is what `auth` uses; the next one is made when `auth` has ended
      end
    elseif not authenticator or authenticator == running() then
      return sock
    end
  elseif channel.__authenticator == running() then
    return false
  end
  if channel.__closed then
    return false
  end
end

--- Waits for the connect that another coroutine is at. **Yields.**
local function join(channel)
  local ticket = {}
  table.insert(channel.__joined, ticket)
  wait(ticket)
end

--- Connects, and lets those go on who have joined. **Yields.**
local function lead(channel, once)
  channel.__joined = {}
  local ok, why = pcall(try_connect, channel, once)
  local joined = channel.__joined
  channel.__joined = false
  for _, ticket in ipairs(joined) do
    wakeup(ticket)
  end
  if not ok then
    error(why, 0)
  end
  return why
end

--- The connection, made if need be; false when the channel is closed. Raises the socket error when
--- it could not be made. **Yields.**
local function connection(channel, once)
  local sock = usable(channel)
  if sock ~= nil then
    return sock
  end
  local why
  repeat
    local joined = channel.__joined
    if joined then
      join(channel)
    else
      why = lead(channel, once)
    end
    sock = usable(channel)
    -- Who wants to be connected at last does not give up with one who tried but once.
  until sock ~= nil or once or not joined
  if sock == nil then
    skynet.error("Connect failed", why, channel.__host, channel.__port)
    error(socket_error)
  end
  return sock
end

--- The connection, or an error if the channel is closed or `auth` has lost it. **Yields.**
local function connected(channel, once)
  local sock = connection(channel, once)
  if sock then
    return sock
  elseif channel.__closed then
    error(("socketchannel %s:%s is closed"):format(channel.__host, channel.__port), 3)
  end
  error(socket_error)
end

--- Connects, also a channel that was closed: until it works, or `once`. **Yields.** Raises the
--- socket error if it does not work.
---@param once? boolean
---@return boolean connected
function Channel:connect(once)
  self.__closed = false
  return connection(self, once) and true or false
end

--- Writes a request; connects first, once, if need be. **Yields.** Gives the data of the answer, a
--- list if it has several parts. Raises the data when the answer is not ok, the socket error when
--- the connection fails.
---@param data string|table what is written, as for `socket.write`
---@param response? any its session, or the function that reads the answer; nil to wait for none
---@param padding? string[] further parts, all written with low priority
---@return any
function Channel:request(data, response, padding)
  local sock = connected(self, true)
  local written
  if padding then
    written = lwrite(sock[1], data)
    for index = 1, #padding do
      written = written and lwrite(sock[1], padding[index])
    end
  else
    written = write(sock[1], data)
  end
  if not written then
    drop(self, sock)
    fail(sock)
    error(socket_error)
  elseif response ~= nil then
    return wait_for(self, sock, response)
  end
end

--- Waits for an answer to no request; connects first if need be. **Yields.** Results and errors as
--- those of `request`.
---@param response any a session, or the function that reads the answer
---@return any
function Channel:response(response)
  return wait_for(self, connected(self), response)
end

--- Closes the connection until `connect` is called. **Yields.** Who waits gets an error.
function Channel:close()
  if not self.__closed then
    self.__closed = true
    drop(self, self.__sock)
  end
end

--- Names another address and closes the connection to the old one. **Yields.**
---@param host string
---@param port? integer
function Channel:changehost(host, port)
  self.__host, self.__port = host, port or self.__port
  self.__moves = self.__moves + 1
  if not self.__closed then
    drop(self, self.__sock)
  end
end

--- Names other addresses to try when the first one fails.
---@param backup? (string|{ host: string, port: integer })[]
function Channel:changebackup(backup)
  self.__backup = backup
end

return socketchannel
