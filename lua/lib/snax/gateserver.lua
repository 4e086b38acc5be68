--- snax.gateserver: accepts clients, cuts their streams into packets and hands these to a handler.
---
--- Invariant: the handler hears `connect`, then packets, then `disconnect` once, which `error`
--- may precede; of clients beyond `maxclient` it never hears.
--- Not here: who gets a packet (service/gate.lua), how packets look (`skynet.netpack`).

local skynet = require "skynet"
local netpack = require "skynet.netpack"
local driver = require "skynet.socketdriver"

local assert, error = assert, error
local pop = netpack.pop

--- Clients at once when the caller of `open` names no `maxclient`.
local DEFAULT_MAXCLIENT = 1024
--- How many bytes of a packet that nobody wants are shown in the log.
local SHOWN = 128

---@class snax.gateserver.conf
---@field address? string default "0.0.0.0"; "host:port" when there is no port
---@field port? integer
---@field maxclient? integer default 1024
---@field nodelay? boolean
---@field backlog? integer

---@class snax.gateserver.handler
---@field message fun(fd: integer, message: lightuserdata, size: integer) owns the message
---@field connect fun(fd: integer, address: string)
---@field open? fun(source: integer, conf: snax.gateserver.conf): ...
---@field disconnect? fun(fd: integer)
---@field error? fun(fd: integer, text: string)
---@field warning? fun(fd: integer, kilobytes: integer)
---@field command? fun(command: string, source: integer, ...): ...
---@field embed? boolean the service calls skynet.start itself

---@class snax.gateserver
local gateserver = {}

--- True for a client whose packets are wanted, false for one that was closed here and whose end
--- has not been reported yet.
---@type table<integer, boolean>
local clients = {}
local client_count = 0

--- Begins to read from a client; until then an accepted socket is silent.
---@param fd integer
function gateserver.openclient(fd)
  if clients[fd] then
    driver.start(fd)
  end
end

--- Closes a client. What was written to it is still sent, and `disconnect` follows.
---@param fd integer
function gateserver.closeclient(fd)
  if clients[fd] then
    clients[fd] = false
    driver.close(fd)
  end
end

--- Forgets a client; gives nil if there is none, else whether it was still open.
local function forget(fd)
  local open = clients[fd]
  if open ~= nil then
    clients[fd] = nil
    client_count = client_count - 1
  end
  return open
end

--- Makes this service a gate. To be called once, from the service's main chunk.
---@param handler snax.gateserver.handler
function gateserver.start(handler)
  assert(handler.message, "gateserver: the handler has no function 'message'")
  assert(handler.connect, "gateserver: the handler has no function 'connect'")

  local queue, listener, maxclient, nodelay
  --- The `open` under way: { thread = } and then address and port, or why it failed.
  local opening

  local function message(fd, packet, size)
    if clients[fd] then
      return handler.message(fd, packet, size)
    end
    local text = netpack.tostring(packet, size)
    skynet.error(("Drop message from fd (%d) : %s"):format(fd, text:sub(1, SHOWN)))
  end

  --- Hands out what is in the queue. Should the handler block, the fork goes on with the rest.
  local function messages()
    local fd, packet, size = pop(queue)
    if fd then
      skynet.fork(messages)
      repeat
        message(fd, packet, size)
        fd, packet, size = pop(queue)
      until not fd
    end
  end

  local function settle(fields)
    local birth = opening
    opening = nil
    for key, value in pairs(fields) do
      birth[key] = value
    end
    skynet.wakeup(birth.thread)
  end

  local on = { data = message, more = messages }

  function on.open(fd, address)
    if client_count >= maxclient then
      driver.shutdown(fd)
      return
    end
    if nodelay then
      driver.nodelay(fd)
    end
    clients[fd] = true
    client_count = client_count + 1
    handler.connect(fd, address)
  end

  function on.close(fd)
    if fd == listener then
      listener = nil
      return
    end
    local open = forget(fd)
    if open then
      driver.close(fd) -- the peer's end leaves our half open
    end
    if open ~= nil and handler.disconnect then
      handler.disconnect(fd)
    end
  end

  function on.error(fd, text)
    if opening and fd == opening.fd then
      settle { failure = text }
    elseif fd == listener then
      skynet.error("gateserver accept error:", text)
    elseif forget(fd) ~= nil then
      driver.shutdown(fd)
      if handler.disconnect then
        skynet.fork(handler.disconnect, fd) -- whatever becomes of `error`
      end
      if handler.error then
        handler.error(fd, text)
      end
    end
  end

  function on.warning(fd, kilobytes)
    if handler.warning then
      handler.warning(fd, kilobytes)
    end
  end

  function on.init(fd, address, port)
    if opening and fd == opening.fd then
      settle { address = address, port = port }
    end
  end

  local commands = {}

  function commands.open(source, conf)
    assert(not listener, "gateserver: open already")
    local address, port = conf.address or "0.0.0.0", conf.port
    maxclient = conf.maxclient or DEFAULT_MAXCLIENT
    nodelay = conf.nodelay
    skynet.error("Listen on", address, port)
    listener = driver.listen(address, port, conf.backlog)
    local birth = { thread = coroutine.running(), fd = listener }
    opening = birth
    skynet.wait(birth.thread)
    if birth.failure then
      listener = nil
      error(("gateserver: listen on %s %s failed (%s)"):format(address, port, birth.failure), 0)
    end
    conf.address, conf.port = birth.address, birth.port
    driver.start(listener)
    if handler.open then
      return handler.open(source, conf)
    end
  end

  function commands.close()
    assert(listener, "gateserver: not open")
    driver.close(listener)
  end

  skynet.register_protocol {
    name = "socket",
    id = skynet.PTYPE_SOCKET,
    unpack = function(event, size)
      return netpack.filter(queue, event, size)
    end,
    dispatch = function(_, _, filled, what, ...)
      queue = filled
      if what then
        on[what](...)
      end
    end,
  }

  local function serve()
    skynet.dispatch("lua", function(_, source, name, ...)
      local command = commands[name]
      if command then
        skynet.retpack(command(source, ...))
      elseif handler.command then
        skynet.retpack(handler.command(name, source, ...))
      else
        error(("gateserver: unknown command '%s'"):format(name))
      end
    end)
  end

  if handler.embed then
    serve()
  else
    skynet.start(serve)
  end
end

return gateserver
