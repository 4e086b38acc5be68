--- Service `.cslave` of a node in a network of harbors: connects it with the others and tells the
--- master of its global names.
---
--- Invariant: the node that comes waits for those who are there, so between two nodes there is one
--- connection. The service `harbor` hears of each name that is known here.
--- Not here: who owns what (skynet/internal/global_names.lua), messages over the connections
--- (native, service `harbor`), a node by itself (cdummy.lua).

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local names = require "skynet.internal.global_names"
local packet = require "skynet.internal.harbor_packet"

--- Socket of each connected harbor, false once it is gone.
---@type table<integer, integer|false>
local harbors = {}
--- Who waits for a harbor to come or go, by id.
---@type table<integer, (fun(ok: boolean))[]>
local watchers = {}
---@type (fun(ok: boolean))[]
local master_watchers = {}
--- Addresses of harbors that came while this node was still waiting for others; nil afterwards.
---@type table<integer, string>?
local later = {}
--- While this node waits for others: how many are still to come, and its thread.
---@type { left: integer, thread: thread }?
local waiting

local own_id = tonumber(skynet.getenv "harbor")
local master, harbor_service

skynet.register_protocol {
  name = "harbor",
  id = skynet.PTYPE_HARBOR,
  pack = function(text)
    return text
  end,
}

local function answer_all(list)
  for _, answer in ipairs(list or {}) do
    answer(true)
  end
end

--- A harbor has come or gone.
local function tell_watchers(id)
  local list = watchers[id]
  watchers[id] = nil
  answer_all(list)
end

--- Lets messages to a name pass to its owner.
local function publish(name)
  skynet.redirect(harbor_service, names.owners[name], "harbor", 0, "N " .. name)
end

--- Gives a connected socket to the service that carries messages.
local function hand_over(how, id, fd)
  harbors[id] = fd
  tell_watchers(id)
  socket.abandon(fd)
  skynet.send(harbor_service, "harbor", ("%s %d %d"):format(how, fd, id))
end

local function connect(id, address)
  if harbors[id] ~= nil then
    return
  end
  local fd, why = socket.open(address)
  if not fd then
    skynet.error(("Can't connect to harbor %d at %s (%s)"):format(id, address, why))
    return
  end
  driver.nodelay(fd)
  skynet.error(("Connect to harbor %d (fd=%d), %s"):format(id, fd, address))
  hand_over("S", id, fd)
end

--- Takes the byte with which a harbor says who it is; true when it is welcome. **Yields.**
local function accept(fd)
  if not socket.start(fd) then
    return false
  end
  local id = socket.read(fd, 1)
  if not id then
    skynet.error(("Connection (fd =%d) closed"):format(fd))
    socket.close(fd)
    return false
  end
  id = id:byte()
  if harbors[id] ~= nil or id == own_id then
    skynet.error(("Slave %d exist (fd =%d)"):format(id, fd))
    socket.close(fd)
    return false
  end
  skynet.error(("Harbor %d connected (fd = %d)"):format(id, fd))
  hand_over("A", id, fd)
  return true
end

--- One of those this node waits for has come, or never will.
local function count_down()
  if waiting then
    waiting.left = waiting.left - 1
    if waiting.left == 0 then
      skynet.wakeup(waiting.thread)
      waiting = nil
    end
  end
end

local function lose(id)
  local fd = harbors[id]
  harbors[id] = false
  if fd then
    tell_watchers(id)
  end
  return fd
end

local from_master = {}

function from_master.C(id, address)
  if later then
    later[id] = address
  else
    connect(id, address)
  end
end

function from_master.N(name, handle)
  names.learn(name, handle)
  if not later then
    publish(name)
  end
end

function from_master.D(id)
  if later and later[id] then
    later[id] = nil
  elseif harbors[id] == nil then
    count_down()
  end
  local fd = lose(id)
  if fd then
    driver.close(fd)
  end
end

--- Does what the master says until it is gone. **Yields.**
local function follow_master()
  while true do
    local ok, kind, first, second = pcall(packet.read, master)
    if not ok then
      break
    elseif from_master[kind] then
      from_master[kind](first, second)
    end
  end
  skynet.error "Master disconnect"
  answer_all(master_watchers)
  master_watchers = {}
  socket.close(master)
end

--- What the service that carries messages has to say.
skynet.register_protocol {
  name = "text",
  id = skynet.PTYPE_TEXT,
  unpack = skynet.tostring,
  dispatch = function(_, _, text)
    local command, rest = text:sub(1, 1), text:sub(3)
    if command == "Q" then
      if names.owners[rest] then
        publish(rest)
      else
        socket.write(master, packet.make("Q", rest))
      end
    elseif command == "D" then
      lose(tonumber(rest))
    else
      skynet.error(("Unknown command %s"):format(text))
    end
  end,
}

local commands = {}

function commands.REGISTER(name, address)
  local handle = names.take(name, address)
  socket.write(master, packet.make("R", name, handle))
  publish(name)
  skynet.ret()
end

function commands.QUERYNAME(name)
  if names.answer(name) then
    socket.write(master, packet.make("Q", name))
  end
end

--- Answers when a harbor goes, at once when it is not there.
function commands.LINK(id)
  if harbors[id] then
    watchers[id] = watchers[id] or {}
    table.insert(watchers[id], skynet.response())
  else
    skynet.ret()
  end
end

--- Answers when a harbor is there.
function commands.CONNECT(id)
  if harbors[id] then
    skynet.ret()
  else
    watchers[id] = watchers[id] or {}
    table.insert(watchers[id], skynet.response())
  end
end

--- Answers when the master is gone.
function commands.LINKMASTER()
  table.insert(master_watchers, skynet.response())
end

--- Waits until the harbors that were there before have connected, or are gone. **Yields.**
local function wait_for(count, listener)
  local thread = coroutine.running()
  waiting = { left = count, thread = thread }
  socket.start(listener, function(fd, peer)
    skynet.error(("New connection (fd = %d, %s)"):format(fd, peer))
    driver.nodelay(fd)
    if accept(fd) then
      count_down()
    end
  end)
  if waiting then
    skynet.wait(thread)
  end
end

--- Where the master is. One that is part of this node says so itself.
local function master_address()
  local address = assert(skynet.getenv "master", "cslave: no master in the config")
  if address == skynet.getenv "standalone" then
    return skynet.call(".cmaster", "lua", "ADDRESS")
  end
  return address
end

skynet.start(function()
  local address = assert(skynet.getenv "address", "cslave: no address in the config")
  local where = master_address()
  local listener, host, port = socket.listen(address)
  if address:find ":0$" then
    address = ("%s:%d"):format(host, port)
  end
  skynet.error(("slave connect to master %s"):format(where))
  local why
  master, why = socket.open(where)
  if not master then
    error(("Can't connect to master %s (%s)"):format(where, why), 0)
  end
  skynet.dispatch("lua", function(_, _, command, ...)
    local handler = commands[command] or error(("unknown command %s of .cslave"):format(command), 0)
    handler(...)
  end)
  harbor_service = assert(skynet.launch("harbor", own_id, skynet.self()))

  socket.write(master, packet.make("H", own_id, address))
  local kind, count = packet.read(master)
  if kind ~= "W" or math.type(count) ~= "integer" then
    error("slave shakehand failed", 0)
  end
  skynet.error(("Waiting for %d harbors"):format(count))
  skynet.fork(follow_master)
  if count > 0 then
    wait_for(count, listener)
  end
  socket.close(listener)
  skynet.error "Shakehand ready"
  skynet.fork(function()
    local addresses = later
    later = nil
    for id, where in pairs(addresses) do
      connect(id, where)
    end
    for name in pairs(names.owners) do
      publish(name)
    end
  end)
end)
