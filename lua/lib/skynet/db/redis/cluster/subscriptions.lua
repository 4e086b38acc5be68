--- Subscriptions in a cluster, for `skynet.db.redis.cluster`.
---
--- A message that is published reaches all servers of a cluster, so a client needs one connection
--- for what it has subscribed to; when its server is gone it goes to another of those that the
--- cluster has by then.
---
--- Invariant: what a subscription brings is given to the client's function, one message at a time.

local skynet = require "skynet"
local client = require "skynet.redis.client"
local redis = require "skynet.db.redis"
local slots = require "skynet.db.redis.cluster.slots"

local VERBS = { subscribe = true, psubscribe = true, unsubscribe = true, punsubscribe = true }

local subscriptions = {}

--- Whether a command is about subscriptions.
---@param command string in small letters
---@return boolean
function subscriptions.is_verb(command)
  return VERBS[command] or false
end

--- Gives messages to the client's function until the watch is closed.
local function serve(self, watch)
  local onmessage = self.__onmessage
  while getmetatable(watch) do
    local ok, data, channel, pattern = pcall(watch.message, watch)
    if ok then
      if onmessage then
        local fine, why = xpcall(onmessage, debug.traceback, data, channel, pattern)
        if not fine then
          skynet.error(why)
        end
      end
    elseif getmetatable(watch) then
      skynet.error(data)
    end
  end
end

--- Asks who is in the cluster whenever the connection is lost or could not be made again.
local function guide(self, watch)
  while client.lost(watch[1]) do
    slots.stale(self)
  end
end

--- The connection for subscriptions. **Yields.**
---@param self skynet.db.redis.cluster
---@return skynet.redis.watch
function subscriptions.watch(self)
  local watch = self.__watch
  if watch and getmetatable(watch) then
    return watch
  end
  local conf = self:conf_of {}
  conf.hosts = slots.candidates(self)
  watch = redis.watch(conf)
  if self.__watch and getmetatable(self.__watch) then
    -- Somebody else was faster.
    watch:disconnect()
    return self.__watch
  end
  self.__watch = watch
  slots.renew_hosts(self)
  skynet.fork(serve, self, watch)
  skynet.fork(guide, self, watch)
  return watch
end

--- Subscribes to channels, or ends that. **Yields.**
---@param self skynet.db.redis.cluster
---@param verb string
---@param ... string channels or patterns
function subscriptions.change(self, verb, ...)
  if ... == nil then
    error("No way to dispatch this command to Redis Cluster: " .. verb, 3)
  end
  local watch = subscriptions.watch(self)
  return watch[verb](watch, ...)
end

return subscriptions
