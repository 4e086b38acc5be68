--- Where the nodes of a cluster are, kept in Redis, for the service `clusterd`.
---
--- A node writes its own names with a lease and renews them three times in its length; when it is
--- gone nobody does, and Redis drops them. Names of others are read when somebody asks for them, and
--- again with every renewal from then on.
---
--- Invariant: while Redis cannot be asked, what is known goes on to hold.
--- Not here: connections to nodes (native), Redis (skynet/db/redis.lua).

local skynet = require "skynet"

--- What the keys begin with, and the seconds that a name lives, unless the config says.
local PREFIX, LEASE = "cluster:", 15

--- Shortest and longest pause in centiseconds after a failure.
local FIRST_PAUSE, LONGEST_PAUSE = 25, 3000

--- Centiseconds to connect, and for an answer.
local PATIENCE = 500

--- Renews a name unless somebody else has taken it; answers who has it.
local RENEW = [[
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
]]

--- Takes a name away that is still this node's.
local LEAVE = [[
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
]]

---@class skynet.internal.discovery.own a name of this node
---@field host string where it listens
---@field port integer
---@field address string? what others are told; nil before Redis was asked
---@field fresh boolean it was not written yet

---@class skynet.internal.discovery
---@field shown string the address of Redis, without its password
local discovery = {}
discovery.__index = discovery

--- `redis://user:password@host:port/db?prefix=...&lease=...`, which the config has checked.
---@param url string
---@param announce string? host, or host:port, that others are told
---@param report fun(name: string, address: string|false|nil) is told where a node is; false: its name is gone; nil: there was none
---@return skynet.internal.discovery
function discovery.new(url, announce, report)
  local base, query = url:match "^([^?]*)%??(.*)$"
  local options = {}
  for key, value in query:gmatch "([^&=]+)=([^&]*)" do
    options[key] = value
  end
  local lease = math.tointeger(tonumber(options.lease)) or LEASE
  return setmetatable({
    url = base,
    shown = (base:gsub("//.*@", "//")),
    prefix = options.prefix or PREFIX,
    lease = lease,
    announced = announce,
    report = report,
    own = {}, ---@type table<string, skynet.internal.discovery.own>
    wanted = {}, ---@type table<string, boolean>
    known = {}, ---@type table<string, string|false>
    missing = {}, ---@type table<string, boolean> names that the log has called unknown
    waiting = {}, ---@type thread[] who waits for a round that has not begun
    settled = 0, -- from when on a missing name is a dead one
    failing = false,
  }, discovery)
end

local function connection(self)
  if not self.db then
    local redis = require "skynet.db.redis"
    self.db = redis.connect { url = self.url, connect_timeout = PATIENCE, command_timeout = PATIENCE }
  end
  return self.db
end

local function disconnect(self)
  local db = self.db
  self.db = nil
  if db then
    pcall(db.disconnect, db)
  end
end

--- The address under which others reach what listens here.
local function address_of(self, own)
  local host, port = self.announced, own.port
  if host and (host:find "^[^:]+:%d+$" or host:find "^%[.*%]:%d+$") then
    return host
  end
  if not host then
    host = own.host
    if host == "0.0.0.0" or host == "::" then
      -- The number under which Redis sees this node.
      host = connection(self):client("info"):match " addr=(%S+):%d+ "
      host = host and host:gsub("[%[%]]", "") or error("Redis does not say where this node is: set cluster_announce", 0)
    end
  end
  host = host:match "^%[(.*)%]$" or host
  return (host:find ":" and "[%s]:%d" or "%s:%d"):format(host, port)
end

--- Writes the names of this node.
local function renew(self)
  for name, own in pairs(self.own) do
    own.address = own.address or address_of(self, own)
    local key = self.prefix .. name
    if own.fresh then
      -- A node that was started again takes its name from the one that it was.
      connection(self):set(key, own.address, "EX", self.lease)
      own.fresh = false
      skynet.error(("cluster name [%s] is %s in %s"):format(name, own.address, self.shown))
      self.report(name, own.address)
    else
      local holder = connection(self):eval(RENEW, 1, key, own.address, self.lease)
      if holder ~= own.address and self.own[name] == own then
        self.own[name] = nil
        self.wanted[name] = true
        skynet.error(("cluster name [%s]: %s has taken it from this node (%s)"):format(name, holder, own.address))
      end
    end
  end
end

--- Reads the names that are in use.
local function look(self)
  local names, keys = {}, {}
  for name in pairs(self.wanted) do
    if not self.own[name] then
      names[#names + 1] = name
      keys[#keys + 1] = self.prefix .. name
    end
  end
  if #names == 0 then
    return
  end
  local found = connection(self):mget(keys)
  for index, name in ipairs(names) do
    local address, before = found[index], self.known[name]
    if address and address ~= before then
      self.known[name] = address
      self.report(name, address)
    elseif not address and before and skynet.now() >= self.settled then
      self.known[name] = false
      skynet.error(("cluster node [%s]: its name is gone from %s (it was %s)"):format(name, self.shown, before))
      self.report(name, false)
    elseif not address and before == nil and not self.missing[name] then
      self.missing[name] = true
      skynet.error(("Waiting for cluster node [%s]: %s does not know it"):format(name, self.shown))
      self.report(name, nil)
    end
  end
end

local function wake(waiting)
  for _, co in ipairs(waiting) do
    skynet.wakeup(co)
  end
end

--- Renews and looks for ever. **Yields.**
function discovery:run()
  local pause = FIRST_PAUSE
  while true do
    local served = self.waiting
    self.waiting = {}
    local ok, why = pcall(function()
      renew(self)
      look(self)
    end)
    if ok then
      if self.failing then
        self.failing = false
        skynet.error(("cluster discovery: %s answers again"):format(self.shown))
      end
      pause = FIRST_PAUSE
    else
      disconnect(self)
      if not self.failing then
        self.failing = true
        why = tostring(why):gsub("^lua/lib/[%w_/]+%.lua:%d+: ", "")
        skynet.error(("cluster discovery: %s; the known addresses stay in use"):format(why))
      end
      -- A Redis that comes back empty has the names of living nodes again within a lease.
      pause = math.min(pause * 2, LONGEST_PAUSE)
      self.settled = skynet.now() + pause + self.lease * 100
      wake(self.waiting)
      self.waiting = {}
    end
    wake(served)
    if #self.waiting == 0 then
      self.sleeper = coroutine.running()
      skynet.sleep(self.failing and pause or self.lease * 100 // 3)
      self.sleeper = nil
    end
  end
end

--- Waits for a round that begins from now on. There is none while Redis fails. **Yields.**
local function next_round(self)
  if self.failing then
    return
  end
  local co = coroutine.running()
  self.waiting[#self.waiting + 1] = co
  if self.sleeper then
    skynet.wakeup(self.sleeper)
  end
  skynet.wait(co)
end

--- Where a node is: its address, false when its name is gone, nil when nobody has had it. **Yields.**
---@param name string
---@return string|false|nil
function discovery:find(name)
  if not self.wanted[name] then
    self.wanted[name] = true
    next_round(self)
  end
  return self.known[name]
end

--- Gives this node a name, under which others find what listens at `host` and `port`. **Yields.**
---@param name string
---@param host string
---@param port integer
function discovery:announce(name, host, port)
  self.own[name] = { host = host, port = port, fresh = true }
  next_round(self)
end

--- Takes this node's names away. **Yields.**
function discovery:leave()
  local own = self.own
  self.own = {}
  for name, entry in pairs(own) do
    if entry.address and not self.failing then
      pcall(function()
        connection(self):eval(LEAVE, 1, self.prefix .. name, entry.address)
      end)
    end
  end
end

return discovery
