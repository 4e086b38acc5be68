--- `skynet.db.redis`: a connection with a Redis server, and one for its messages.
---
--- A connection is a table `{userdata}` whose metatable finds a method for every command; the methods
--- are native (`skynet.redis.client`).

local skynet = require "skynet"
local client = require "skynet.redis.client"

--- Where a server is and who asks. Exactly one of `host`, `unix` and `url` is given.
---@class skynet.redis.options
---@field host? string
---@field port? integer 6379 if absent
---@field unix? string path of a socket in the file system
---@field url? string such as `redis://name:password@host:port/db`, `rediss://`, `unix:///path`
---@field auth? string|string[] the password, or name and password
---@field username? string
---@field db? integer
---@field tls? boolean|table `verify`, `ca`, `certfile`, `keyfile`, `ciphers`, `servername`
---@field connect_timeout? number centiseconds for connection, TLS, AUTH and SELECT; 500 if absent
---@field command_timeout? number centiseconds for a reply; without it a call waits for ever
---@field hosts? skynet.redis.host[] servers of which each will do, tried in turn
---@field sentinels? skynet.redis.host[] those that know where `master` is
---@field master? string the name of a master
---@field sentinel_auth? string password at the sentinels
---@field sentinel_username? string
---@field overload? fun(overloaded: boolean) called when the server takes less than it is sent

---@alias skynet.redis.host string|{host: string, port: integer?} `host:port`, or a table of both

--- The port of sentinels, and of servers.
local SENTINEL_PORT, PORT = 26379, 6379

local redis = {}

---@class skynet.redis.connection
local command = {}
local meta = { __index = command }

-- A method for each command, made when it is first used.
setmetatable(command, {
  __index = function(methods, name)
    local method = client.command(name)
    methods[name] = method
    return method
  end,
})

-- Their answers are booleans, and only so many arguments count.
command.exists = client.command("EXISTS", true, 1)
command.sismember = client.command("SISMEMBER", true, 2)

command.pipeline = client.pipeline

--- Ends the connection; calls that wait fail.
function command:disconnect()
  client.close(self)
  setmetatable(self, nil)
end

--- A list of servers as `host:port`.
local function addresses(hosts, port)
  local all = {}
  for index, host in ipairs(hosts) do
    if type(host) == "table" then
      local name = tostring(host.host)
      host = (name:find ":" and "[%s]:%d" or "%s:%d"):format(name, host.port or port)
    elseif type(host) == "string" and not host:find ":%d+$" then
      host = ("%s:%d"):format(host, port)
    end
    all[index] = host
  end
  return all
end

---@param conf skynet.redis.options|string options, or an address
---@return skynet.redis.options
local function options(conf)
  if type(conf) == "string" then
    return { url = conf }
  end
  if type(conf) == "table" and (conf.hosts or conf.sentinels) then
    local flat = {}
    for key, value in pairs(conf) do
      flat[key] = value
    end
    flat.hosts = conf.hosts and addresses(conf.hosts, PORT)
    flat.sentinels = conf.sentinels and addresses(conf.sentinels, SENTINEL_PORT)
    return flat
  end
  return conf
end

---@param connection userdata
---@param overload fun(overloaded: boolean)
local function watch_overload(connection, overload)
  while true do
    local overloaded = client.overload(connection)
    if overloaded == nil then
      return
    end
    overload(overloaded)
  end
end

--- Connects; raises when that fails.
---@param conf skynet.redis.options|string
---@return skynet.redis.connection
function redis.connect(conf)
  conf = options(conf)
  local connection = client.connect(conf)
  if conf.overload then
    skynet.fork(watch_overload, connection, conf.overload)
  end
  return setmetatable({ connection }, meta)
end

---@class skynet.redis.watch
local watch = {}
local watch_meta = { __index = watch }

--- A method that does something with each channel it is given.
---@param verb integer
local function changer(verb)
  return function(self, ...)
    for index = 1, select("#", ...) do
      local channel = select(index, ...)
      if type(channel) == "table" then
        for _, each in ipairs(channel) do
          client.change(self[1], verb, tostring(each))
        end
      else
        client.change(self[1], verb, tostring(channel))
      end
    end
  end
end

watch.subscribe = changer(1)
watch.psubscribe = changer(2)
watch.unsubscribe = changer(3)
watch.punsubscribe = changer(4)

--- Waits for the next message.
---@return string data
---@return string channel
---@return string? pattern the one that it came by
function watch:message()
  return client.message(self[1])
end

--- Ends the watch; whoever waits for a message fails.
function watch:disconnect()
  client.close_watch(self[1])
  setmetatable(self, nil)
end

--- Connects for messages; raises when that fails. A connection that is lost later is made again, with
--- everything subscribed.
---@param conf skynet.redis.options|string
---@return skynet.redis.watch
function redis.watch(conf)
  return setmetatable({ client.watch(options(conf)) }, watch_meta)
end

return redis
