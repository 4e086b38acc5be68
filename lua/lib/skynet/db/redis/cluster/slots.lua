--- Who has which slot of a cluster, as its servers say, for `skynet.db.redis.cluster`.
---
--- Invariant: servers are asked by one coroutine of a client at a time; whoever else wants to know
--- waits for its answer.

local skynet = require "skynet"
local client = require "skynet.redis.client"

--- Centiseconds that one server is given to answer, before the next is asked.
local PATIENCE = 200

--- Centiseconds between two times of asking because of what servers said.
local INTERVAL = 10

--- The same when nobody has said that something has changed.
local SELDOM = 100

--- What the error begins with when no server answers; skynet's words.
local LOST = "Can't reach a single startup node."

local slots = {}

--- An error without the line of a file of ours.
---@param failure any
---@return string
function slots.bare(failure)
  return (tostring(failure):gsub("^lua/lib/[%w_/]+%.lua:%d+: ", ""))
end

--- `host:port`, which is also noted as the name.
---@param node skynet.db.redis.node
---@return string
function slots.name_of(node)
  local name = node.name
  if not name then
    name = ("%s:%d"):format(node.host, node.port or 6379)
    node.name = name
  end
  return name
end

--- Whether an error is that of `ask`.
---@param failure any
---@return boolean
function slots.is_lost(failure)
  return type(failure) == "string" and failure:sub(1, #LOST) == LOST
end

local function shuffle(list)
  for index = #list, 2, -1 do
    local other = math.random(index)
    list[index], list[other] = list[other], list[index]
  end
end

--- The known servers in the order in which they may be asked: masters, replicas, those that were
--- given at the beginning.
---@param self skynet.db.redis.cluster
---@return skynet.db.redis.node[]
function slots.candidates(self)
  local masters, replicas = {}, {}
  for index, node in ipairs(self.nodes) do
    masters[index] = node
    table.move(node.slaves, 1, #node.slaves, #replicas + 1, replicas)
  end
  shuffle(masters)
  shuffle(replicas)
  local all, seen = {}, {}
  for _, list in ipairs { masters, replicas, self.startup_nodes } do
    for _, node in ipairs(list) do
      local name = slots.name_of(node)
      if not seen[name] then
        seen[name] = true
        all[#all + 1] = node
      end
    end
  end
  return all
end

--- Runs `f` for at most `limit` centiseconds; raises what it raises. **Yields.**
local function within(limit, f, ...)
  local co = coroutine.running()
  local waiting, results = true, nil
  skynet.fork(function(...)
    results = table.pack(pcall(f, ...))
    if waiting then
      skynet.wakeup(co)
    end
  end, ...)
  skynet.sleep(limit)
  waiting = false
  if not results then
    error(("no answer within %d ms"):format(limit * 10), 0)
  elseif not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Tells the connection for subscriptions which servers are known.
---@param self skynet.db.redis.cluster
function slots.renew_hosts(self)
  local watch = self.__watch
  if watch and getmetatable(watch) then
    local names = {}
    for index, node in ipairs(slots.candidates(self)) do
      names[index] = slots.name_of(node)
    end
    -- With a name that is no address commands say what is wrong.
    pcall(client.renew_hosts, watch[1], names)
  end
end

--- Takes an answer to CLUSTER SLOTS.
local function take(self, asked, ranges)
  local table_of_slots, nodes, by_name = {}, {}, {}
  local function server(entry)
    local host = entry[1]
    if not host or host == "" then
      host = asked.host
    end
    local node = { host = host, port = entry[2] }
    slots.name_of(node)
    return node
  end
  for _, range in ipairs(ranges) do
    local master = server(range[3])
    if by_name[master.name] then
      master = by_name[master.name]
    else
      by_name[master.name] = master
      nodes[#nodes + 1] = master
      master.slaves = {}
      for index = 4, #range do
        master.slaves[index - 3] = server(range[index])
      end
    end
    for slot = range[1], range[2] do
      table_of_slots[slot] = master
    end
  end
  if #nodes == 0 then
    error("it knows no server with slots", 0)
  end
  self.slots, self.nodes = table_of_slots, nodes
  slots.renew_hosts(self)
end

local function ask_any(self)
  local last
  for _, node in ipairs(slots.candidates(self)) do
    local ok, why = pcall(function()
      local connection = within(PATIENCE, self.get_connection, self, node)
      take(self, node, within(PATIENCE, connection.cluster, connection, "slots"))
    end)
    if ok then
      return
    end
    last = slots.bare(why)
  end
  error(("%s (%s)"):format(LOST, last), 0)
end

--- Asks who has which slot. **Yields.** Raises when nobody answers.
---@param self skynet.db.redis.cluster
function slots.ask(self)
  local asking = self.__asking
  if asking then
    local co = coroutine.running()
    asking[#asking + 1] = co
    skynet.wait(co)
  else
    asking = {}
    self.__asking = asking
    asking.ok, asking.why = pcall(ask_any, self)
    self.__asking = false
    self.__asked = skynet.now()
    for _, co in ipairs(asking) do
      skynet.wakeup(co)
    end
  end
  if not asking.ok then
    error(asking.why, 0)
  end
end

--- What is known is out of date: it is asked for on the side, soon.
---@param self skynet.db.redis.cluster
function slots.stale(self)
  if self.__stale then
    return
  end
  self.__stale = true
  local wait = math.max(0, self.__asked + INTERVAL - skynet.now())
  skynet.timeout(wait, function()
    self.__stale = false
    -- Whoever has a command to send says what is wrong.
    pcall(slots.ask, self)
  end)
end

--- What is known may be out of date: it is asked for on the side now and then.
---@param self skynet.db.redis.cluster
function slots.outdated(self)
  if skynet.now() - self.__asked >= SELDOM then
    slots.stale(self)
  end
end

--- A slot has moved to a server.
---@param self skynet.db.redis.cluster
---@param slot integer
---@param node skynet.db.redis.node
function slots.moved(self, slot, node)
  local name, former = slots.name_of(node), self.slots[slot]
  node.slaves = former and former.name ~= name and {} or former and former.slaves or {}
  self.slots[slot] = node
  slots.stale(self)
end

return slots
