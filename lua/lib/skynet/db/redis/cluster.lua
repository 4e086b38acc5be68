--- `skynet.db.redis.cluster`: a cluster of redis-servers. Every command is a method.
---
--- Invariant: each call returns or raises once; a command that changes something is done at most
--- once.
--- Not here: which server a command goes to, and what happens when it has moved (native,
--- `skynet.redis.cluster`); connections to one server (skynet/db/redis.lua).

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local network = require "skynet.redis.cluster"

--- Connections to single servers that are kept when the options do not say.
local MOST_CONNECTIONS = 256

--- Time in centiseconds before a subscription whose server is gone is tried elsewhere; it doubles
--- up to the longest.
local FIRST_PAUSE, LONGEST_PAUSE = 5, 100

--- Options of connections that are passed on as they are.
local PASSED = { "auth", "username", "tls", "connect_timeout", "command_timeout" }

---@class skynet.db.redis.node
---@field host string
---@field port integer
---@field name string?
---@field slaves skynet.db.redis.node[]?

---@class skynet.db.redis.cluster.options
---@field auth string?
---@field username string?
---@field db integer?
---@field max_connections integer? connections to single servers that are kept, 256 by default
---@field read_slave (boolean|"replica")? true: replicas are read while their master cannot be reached; "replica": always
---@field tls (boolean|table)? as for one server
---@field connect_timeout number? seconds for a connection to come up
---@field command_timeout number? seconds for a command with all its tries

---@class skynet.db.redis.cluster
---@field connections table<string, table> connections to single servers, by `host:port`
---@field slots table<integer, skynet.db.redis.node> who has a slot, as last asked
---@field nodes skynet.db.redis.node[] the masters, as last asked
local rediscluster = {}
rediscluster.__index = rediscluster

local cluster = {}

local function nodename(node)
  return ("%s:%d"):format(node.host, node.port)
end

--- Seconds of an option, if it is given.
local function seconds(opt, key)
  local value = opt[key]
  if value ~= nil and not (type(value) == "number" and value > 0) then
    error(("redis cluster: %s = %s (expected seconds above 0)"):format(key, tostring(value)), 3)
  end
  return value or false
end

--- How commands that change nothing are sent, as `network.new` knows it.
local function reads(opt)
  local of = opt.read_slave
  if of == "replica" then
    return 2
  end
  if of ~= nil and type(of) ~= "boolean" then
    error(("redis cluster: read_slave = %s (expected true, false or \"replica\")"):format(tostring(of)), 3)
  end
  return of and 1 or 0
end

--- Who this side is and what it wants, as `network.new` knows it.
local function flat(opt)
  local tls = opt.tls
  local files, judge = {}, tls and 1 or 0
  if type(tls) == "table" then
    files = tls
    if tls.verify ~= nil then
      judge = tls.verify and 2 or 3
    end
  end
  return {
    opt.auth and tostring(opt.auth) or false,
    opt.username and tostring(opt.username) or false,
    math.tointeger(tonumber(opt.db or 0)) or error(("redis cluster: db = %s is no number"):format(tostring(opt.db)), 3),
    reads(opt),
    seconds(opt, "connect_timeout"),
    seconds(opt, "command_timeout"),
    judge,
  }, files.ca, files.certfile, files.keyfile
end

--- The configuration of a connection to one server of the cluster.
local function connection_of(self, node)
  local conf = { host = node.host, port = node.port, db = self.opt.db or 0 }
  for _, key in ipairs(PASSED) do
    conf[key] = self.opt[key]
  end
  return conf
end

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
  local servers = {}
  for index, node in ipairs(startup_nodes) do
    if type(node.host) ~= "string" then
      error(("redis cluster: server %d has no host (string expected, got %s)"):format(index, type(node.host)), 2)
    end
    servers[2 * index - 1] = node.host
    servers[2 * index] = math.tointeger(tonumber(node.port or 6379))
      or error(("redis cluster: port %s of %s is no number"):format(tostring(node.port), node.host), 2)
  end
  local self = setmetatable({
    startup_nodes = startup_nodes,
    max_connections = opt.max_connections or MOST_CONNECTIONS,
    connections = {},
    opt = opt,
    slots = {},
    nodes = {},
    __cluster = network.new(servers, flat(opt)),
    __opening = {},
    __onmessage = onmessage or false,
    __watching = {},
  }, rediscluster)
  -- Servers that cannot be reached yet are no error before a command needs them.
  pcall(self.initialize_slots_cache, self)
  return self
end

--- Runs a command. **Yields.** Raises the server's error.
---@param command string
---@param ... any its arguments, the key among them
function rediscluster:call(command, ...)
  local name = command:lower()
  if name == "subscribe" or name == "psubscribe" or name == "unsubscribe" or name == "punsubscribe" then
    local channel = ...
    if channel == nil then
      error("No way to dispatch this command to Redis Cluster: " .. command)
    end
    local watch = self:get_watch_connection_by_slot(self:keyslot(channel))
    return watch[name](watch, ...)
  end
  local reply = network.call(self.__cluster, command, ...)
  if name == "exists" or name == "sismember" then
    return reply ~= 0
  end
  return reply
end

--- The slot of a key, 0 to 16383.
---@param key string|number
---@return integer
function rediscluster:keyslot(key)
  return network.keyslot(key)
end

--- Asks who has which slot, for `slots` and `nodes`. **Yields.**
function rediscluster:initialize_slots_cache()
  local slots, nodes = {}, {}
  for _, range in ipairs(network.call(self.__cluster, "cluster", "slots")) do
    local function server(index)
      local node = { host = range[index][1], port = math.tointeger(range[index][2]) }
      node.name = nodename(node)
      return node
    end
    local master = server(3)
    master.slaves = {}
    for index = 4, #range do
      master.slaves[index - 3] = server(index)
    end
    nodes[#nodes + 1] = master
    for slot = range[1], range[2] do
      slots[slot] = master
    end
  end
  self.slots, self.nodes = slots, nodes
end

--- Forgets who has which slot; the next command asks.
function rediscluster:flush_slots_cache()
  self.slots = {}
  network.close(self.__cluster)
end

--- Closes all connections; commands open new ones.
function rediscluster:close_all_connection()
  local connections = self.connections
  self.connections = {}
  for _, connection in pairs(connections) do
    pcall(connection.disconnect, connection)
  end
  network.close(self.__cluster)
end

--- Makes room for one more connection.
local function make_room(self)
  local count = 0
  for _ in pairs(self.connections) do
    count = count + 1
  end
  if count >= self.max_connections then
    local name, connection = next(self.connections)
    self.connections[name] = nil
    pcall(connection.disconnect, connection)
  end
end

--- A connection of `skynet.db.redis` to one server; callers at the same time get the same one.
--- **Yields.**
---@param node skynet.db.redis.node
function rediscluster:get_connection(node)
  local name = node.name or nodename(node)
  node.name = name
  local connection = self.connections[name]
  if connection then
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
  local ok, made = pcall(redis.connect, connection_of(self, node))
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

local function shuffled(nodes)
  local order = { table.unpack(nodes) }
  for index = #order, 2, -1 do
    local other = math.random(index)
    order[index], order[other] = order[other], order[index]
  end
  return order
end

--- A connection to any server that answers. **Yields.**
function rediscluster:get_random_connection()
  local last = "none is known"
  for _, node in ipairs(shuffled(#self.nodes > 0 and self.nodes or self.startup_nodes)) do
    local ok, connection = pcall(self.get_connection, self, node)
    if ok then
      local alive, answer = pcall(connection.ping, connection)
      if alive and answer == "PONG" then
        return connection
      end
      self.connections[node.name] = nil
      pcall(connection.disconnect, connection)
      connection = answer
    end
    last = tostring(connection)
  end
  error(("Can't reach a single startup node. (%s)"):format(last))
end

--- A connection to the server that has a slot, for pipelines and transactions. **Yields.**
---@param slot integer
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
  -- The master is gone: somebody else may have its slots the next time.
  self.slots[slot] = nil
  if self.opt.read_slave and #node.slaves > 0 then
    local slave = node.slaves[math.random(#node.slaves)]
    ok, connection = pcall(self.get_connection, self, slave)
    if ok then
      connection:readonly()
      return connection
    end
  end
  return self:get_random_connection()
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
