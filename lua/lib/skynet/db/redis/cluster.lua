--- `skynet.db.redis.cluster`: a cluster of redis-servers. Every command is a method.
---
--- A command goes to the server that has the slot of its key, over a connection of
--- `skynet.db.redis`, one a server. One that no server has taken is sent again, so that a slot that moves
--- or a master that is replaced costs time and no error. One that may have been taken by a server
--- whose connection broke is sent again only if it changes nothing.
---
--- Invariant: each call returns or raises once; a command that changes something is done at most
--- once.
--- Not here: slots of keys (native), who has which slot (cluster/slots.lua), subscriptions
--- (cluster/subscriptions.lua).

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local native = require "skynet.redis.cluster"
local slots = require "skynet.db.redis.cluster.slots"
local subscriptions = require "skynet.db.redis.cluster.subscriptions"

local bare, name_of = slots.bare, slots.name_of

--- How often a command is sent before it fails; skynet's figure.
local TRIES = 16

--- Pause in centiseconds before the third try; it doubles with each further one up to the longest. A
--- slot that moves is found at once, a new master within seconds.
local FIRST_PAUSE, LONGEST_PAUSE = 1, 64

--- Centiseconds after which a command is sent no more, however few its tries were.
local LIMIT = 1000

--- Connections that are kept when the options do not say.
local MOST_CONNECTIONS = 256

--- Options of connections that are passed on as they are.
local PASSED = { "auth", "username", "tls", "connect_timeout", "command_timeout" }

--- Refusals of a server after which another, or the same one, takes the command soon.
local PASSING = { TRYAGAIN = true, CLUSTERDOWN = true, MASTERDOWN = true, LOADING = true, READONLY = true }

---@class skynet.db.redis.node
---@field host string
---@field port integer
---@field name string? `host:port`
---@field slaves skynet.db.redis.node[]?

---@class skynet.db.redis.cluster.options: skynet.redis.options
---@field max_connections integer? connections that are kept, 256 by default
---@field read_slave (boolean|"replica")? true: replicas are read while their master cannot be reached; "replica": always

---@class skynet.db.redis.cluster
---@field connections table<string, skynet.redis.connection> by `host:port`
---@field slots table<integer, skynet.db.redis.node> who has a slot, as last heard
---@field nodes skynet.db.redis.node[] the masters, as last heard
---@field startup_nodes skynet.db.redis.node[]
local rediscluster = {}
rediscluster.__index = rediscluster

local cluster = {}

--- A client of the cluster that these servers belong to. **Yields.**
---@param startup_nodes skynet.db.redis.node|skynet.db.redis.node[]
---@param opt skynet.db.redis.cluster.options?
---@param onmessage fun(data: string, channel: string, pchannel: string?)? gets what subscriptions bring
---@return skynet.db.redis.cluster
function cluster.new(startup_nodes, opt, onmessage)
  if #startup_nodes == 0 then
    startup_nodes = { startup_nodes }
  end
  opt = opt or {}
  for index, node in ipairs(startup_nodes) do
    if type(node.host) ~= "string" then
      error(("redis cluster: server %d has no host (string expected, got %s)"):format(index, type(node.host)), 2)
    end
  end
  local reads = opt.read_slave
  if reads ~= nil and type(reads) ~= "boolean" and reads ~= "replica" then
    error(('redis cluster: read_slave = %s (expected true, false or "replica")'):format(tostring(reads)), 2)
  end
  local self = setmetatable({
    startup_nodes = startup_nodes,
    max_connections = opt.max_connections or MOST_CONNECTIONS,
    connections = {},
    opt = opt,
    slots = {},
    nodes = {},
    __opening = {},
    __onmessage = onmessage or false,
    __watch = false,
    __asking = false,
    __asked = 0,
    __stale = false,
  }, rediscluster)
  -- Servers that cannot be reached yet are no error before a command needs them.
  pcall(self.initialize_slots_cache, self)
  return self
end

--- The configuration of a connection to one server of the cluster.
---@param node skynet.db.redis.node
---@return skynet.redis.options
function rediscluster:conf_of(node)
  local conf = { host = node.host, port = node.port, db = self.opt.db }
  for _, key in ipairs(PASSED) do
    conf[key] = self.opt[key]
  end
  return conf
end

--- Closes a connection that is of no use any more.
local function drop(self, name, connection)
  if self.connections[name] == connection then
    self.connections[name] = nil
  end
  pcall(connection.disconnect, connection)
end

--- Makes room for one more connection.
local function make_room(self)
  local count = 0
  for _ in pairs(self.connections) do
    count = count + 1
  end
  if count >= self.max_connections then
    drop(self, next(self.connections))
  end
end

--- The connection called `name`, opened if need be; callers at the same time get the same one.
local function opened(self, name, open)
  local connection = self.connections[name]
  -- One that its user has closed has no methods any more.
  if connection and getmetatable(connection) then
    return connection
  end
  local opening = self.__opening[name]
  if opening then
    local co = coroutine.running()
    opening[#opening + 1] = co
    skynet.wait(co)
    if opening.connection then
      return opening.connection
    end
    error(opening.failure, 0)
  end
  opening = {}
  self.__opening[name] = opening
  local ok, made = pcall(open)
  self.__opening[name] = nil
  if ok then
    make_room(self)
    self.connections[name] = made
    opening.connection = made
  else
    opening.failure = made
  end
  for _, co in ipairs(opening) do
    skynet.wakeup(co)
  end
  if not ok then
    error(made, 0)
  end
  return made
end

--- A connection to one server. **Yields.**
---@param node skynet.db.redis.node
---@return skynet.redis.connection
function rediscluster:get_connection(node)
  return opened(self, name_of(node), function()
    return redis.connect(self:conf_of(node))
  end)
end

--- A connection for reads of a replica. **Yields.**
local function replica_connection(self, node)
  local name = name_of(node) .. " (reads)"
  return opened(self, name, function()
    local connection = redis.connect(self:conf_of(node))
    connection:readonly()
    return connection
  end), name
end

--- A connection to any master that answers. **Yields.**
---@return skynet.redis.connection
function rediscluster:get_random_connection()
  local last = "none is known"
  for _, node in ipairs(slots.candidates(self)) do
    local ok, connection = pcall(self.get_connection, self, node)
    if ok then
      local alive, answer = pcall(connection.ping, connection)
      if alive and answer == "PONG" then
        return connection
      end
      drop(self, node.name, connection)
      connection = answer
    end
    last = bare(connection)
  end
  error(("Can't reach a single startup node. (%s)"):format(last), 2)
end

--- A connection to the server that has a slot, for pipelines and transactions. **Yields.**
---@param slot integer
---@return skynet.redis.connection
function rediscluster:get_connection_by_slot(slot)
  if not self.slots[slot] then
    pcall(self.initialize_slots_cache, self)
  end
  local node = self.slots[slot]
  if not node then
    return self:get_random_connection()
  end
  local ok, connection = pcall(self.get_connection, self, node)
  if ok then
    return connection
  end
  slots.stale(self)
  if self.opt.read_slave and node.slaves and #node.slaves > 0 then
    ok, connection = pcall(replica_connection, self, node.slaves[math.random(#node.slaves)])
    if ok then
      return connection
    end
  end
  return self:get_random_connection()
end

--- Asks who has which slot, for `slots` and `nodes`. **Yields.**
function rediscluster:initialize_slots_cache()
  slots.ask(self)
end

--- Forgets who has which slot; the next command asks.
function rediscluster:flush_slots_cache()
  self.slots = {}
end

--- Closes all connections; commands open new ones.
function rediscluster:close_all_connection()
  for name, connection in pairs(self.connections) do
    self.connections[name] = nil
    pcall(connection.disconnect, connection)
  end
end

--- The slot of a key, 0 to 16383.
---@param key string|number
---@return integer
function rediscluster:keyslot(key)
  return native.keyslot(key)
end

--- The subscriber of this client, whatever the slot: a message reaches all servers of a cluster.
--- **Yields.**
---@param _slot integer
---@return skynet.redis.watch
function rediscluster:get_watch_connection_by_slot(_slot)
  return subscriptions.watch(self)
end

--- What a connection is told for `command` right behind ASKING, in one write: another command
--- between them would take the leave for itself.
local function ask_for(connection, command, ...)
  local reply = connection:pipeline { { "asking" }, table.pack(command, ...) }
  if command == "exists" or command == "sismember" then
    return reply ~= 0
  end
  return reply
end

---@class skynet.db.redis.cluster.try what is known of a command on its way
---@field slot integer
---@field read boolean it changes nothing
---@field ask skynet.db.redis.node? the server that the slot is just moving to
---@field replicas boolean replicas may be asked

--- The connection for a command, its server, and the name under which it is kept. Raises when it cannot
--- be opened.
local function connection_for(self, try)
  if try.ask then
    return self:get_connection(try.ask), try.ask, try.ask.name
  end
  local node = self.slots[try.slot]
  if not node then
    slots.ask(self)
    node = self.slots[try.slot] or slots.candidates(self)[1]
  end
  local replicas = try.replicas and node.slaves or {}
  local replica = replicas[1] and replicas[math.random(#replicas)]
  if try.replicas and not replica then
    -- There may be one by now.
    slots.outdated(self)
  end
  if replica and self.opt.read_slave == "replica" then
    local ok, connection, name = pcall(replica_connection, self, replica)
    if ok then
      return connection, node, name
    end
  end
  local ok, connection = pcall(self.get_connection, self, node)
  if ok then
    return connection, node, node.name
  end
  slots.stale(self)
  if replica then
    local name
    connection, name = replica_connection(self, replica)
    return connection, node, name
  end
  error(connection, 0)
end

--- Whether a command that has failed is to be sent again; notes what the failure says about the
--- cluster.
local function goes_on(self, try, failure, connection, node, name)
  local kind, slot, address = failure:match "^(%u+) ?(%d*) ?(%S*)"
  if kind == "MOVED" or kind == "ASK" then
    local host, port = address:match "^(.*):(%d+)$"
    -- Without a host it is the one that was asked.
    local to = { host = host ~= "" and host or node.host, port = math.tointeger(port) }
    if kind == "ASK" then
      try.ask = to
    elseif name ~= node.name then
      -- A replica whose connection was made anew has to be told again that it is for reads.
      drop(self, name, connection)
      try.replicas = false
    else
      slots.moved(self, math.tointeger(slot), to)
    end
    return true
  elseif PASSING[kind] then
    slots.stale(self)
    return true
  elseif failure:find(": cannot connect (", 1, true) then
    -- Others may still wait on it for the same answer.
    if self.connections[name] == connection then
      self.connections[name] = nil
    end
    slots.stale(self)
    return true
  elseif failure:find ": the connection is closed$" then
    drop(self, name, connection)
    return true
  elseif failure:find(": connection lost (", 1, true) or failure:find ": the connection was closed$" then
    slots.stale(self)
    return try.read
  end
  return false
end

--- Sends a command until it is done: true and its reply, or false and an error.
local function persist(self, try, command, ...)
  local last
  local began = skynet.now()
  for tried = 1, TRIES do
    if tried > 2 then
      if skynet.now() - began > LIMIT then
        break
      end
      skynet.sleep(math.min(FIRST_PAUSE << (tried - 3), LONGEST_PAUSE))
    end
    local ok, connection, node, name = pcall(connection_for, self, try)
    local asking = try.ask
    try.ask = nil
    if ok then
      local done, reply
      if asking then
        done, reply = pcall(ask_for, connection, command, ...)
      else
        done, reply = pcall(connection[command], connection, ...)
      end
      if done then
        return true, reply
      end
      last = bare(reply)
      if not goes_on(self, try, last, connection, node, name) then
        return false, last
      end
    else
      last = bare(connection)
      if slots.is_lost(last) then
        return false, last
      end
    end
  end
  if PASSING[last:match "^%u+"] then
    return false, last
  end
  return false, ("Too many Cluster redirections?,maybe node is disconnected (last error: %q)"):format(last)
end

--- Runs a command. **Yields.** Raises the server's error, or why there is no reply.
---@param command string
---@param ... any its arguments, the key among them
function rediscluster:call(command, ...)
  command = command:lower()
  if subscriptions.is_verb(command) then
    return subscriptions.change(self, command, ...)
  end
  local ok, slot, read = pcall(native.route, command, ...)
  if not ok then
    error(bare(slot), 2)
  end
  local reads = read and self.opt.read_slave
  local try = { slot = slot, read = read, replicas = reads }
  -- Most commands need no more than this.
  local node = self.slots[slot]
  local connection = node and reads ~= "replica" and self.connections[node.name]
  local method = connection and connection[command]
  if method then
    local ok, reply = pcall(method, connection, ...)
    if ok then
      return reply
    end
    reply = bare(reply)
    if not goes_on(self, try, reply, connection, node, node.name) then
      error(reply, 2)
    end
  end
  local ok, reply = persist(self, try, command, ...)
  if not ok then
    error(reply, 2)
  end
  return reply
end

-- Every other name is a command.
setmetatable(rediscluster, {
  __index = function(methods, name)
    local function method(self, ...)
      return self:call(name, ...)
    end
    methods[name] = method
    return method
  end,
})

return cluster
