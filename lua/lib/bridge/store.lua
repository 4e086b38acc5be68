--- bridge.store: what a link does in Redis: steps of transfers, each done once, and messages in batches.
---
--- Invariant: a step is repeated until its answer is known, and before it is repeated the fence makes
--- sure that no earlier copy of it can still be done (docs/bridge.md, "Epochs").
--- Not here: what is decided (`bridge.core`), who waits for what (`bridge`).

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local core = require "bridge.core"

local error, ipairs, pairs, pcall, setmetatable, tostring, type =
  error, ipairs, pairs, pcall, setmetatable, tostring, type
local unpack = table.unpack

-- Pauses between two attempts, in hundredths of a second.
local FIRST_PAUSE, LONGEST_PAUSE = 5, 100

-- How long a command may take, in hundredths of a second, where the options do not say it: a
-- connection that is dead without a sign is given up then, and the command is repeated on another.
local COMMAND_TIMEOUT = 300

-- Most messages that wait to be published; more are dropped, as if they were lost on their way.
local MOST_WAITING = 1 << 18

-- Errors of the server that another attempt will meet again.
local LASTING = { ERR = true, WRONGTYPE = true, NOPERM = true, NOAUTH = true, WRONGPASS = true }

---@class bridge.store
---@field conf table
---@field fence string
local store = {}
store.__index = store

-- The code in front of an error's text, which may have the position of a script before it.
local function code_of(text)
  return tostring(text):match "^(%u+) " or tostring(text):match ": (%u+) "
end

--- A store over one connection for steps and one for messages, which are made when they are needed.
---@param conf skynet.redis.options|string
---@param own string
---@param peer string
---@param instance string
---@param wallet string whose balances are in Redis
---@return bridge.store
function store.new(conf, own, peer, instance, wallet)
  local first, second = own, peer
  if second < first then
    first, second = second, first
  end
  local pair = first .. ":" .. second
  local options = { command_timeout = COMMAND_TIMEOUT }
  for key, value in pairs(type(conf) == "table" and conf or { url = conf }) do
    options[key] = value
  end
  return setmetatable({
    conf = options,
    own = own,
    peer = peer,
    fence = "bridge:fence:" .. own .. ":" .. peer .. ":" .. instance,
    open_prefix = "bridge:open:" .. pair .. ":",
    players = "bridge:players:" .. pair,
    wallet_prefix = "bridge:wallet:" .. wallet .. ":",
    script = core.script(),
    waiting = {},
    tokens = {},
    count = 0,
    hearers = {},
  }, store)
end

-- The connection `name`, made again if there is none. Of several that ask one makes it.
local function connection(self, name)
  while not self[name] do
    if self.closed then
      error("the link is closed", 0)
    end
    local making = name .. "_making"
    local others = self[making]
    if others then
      others[#others + 1] = coroutine.running()
      skynet.wait()
    else
      others = {}
      self[making] = others
      local ok, made = pcall(redis.connect, self.conf)
      self[making] = nil
      for _, other in ipairs(others) do
        skynet.wakeup(other)
      end
      if not ok then
        error(made, 0)
      end
      if self.closed then
        made:disconnect()
        error("the link is closed", 0)
      end
      self[name] = made
    end
  end
  return self[name]
end

--- Runs a command until it is answered: only for what may be done twice. **Yields.**
---@param command string
---@return any
function store:ask(command, ...)
  local pause = FIRST_PAUSE
  while true do
    local ok, result = pcall(function(...)
      local db = connection(self, "steps")
      return db[command](db, ...)
    end, ...)
    if ok then
      self.troubled = false
      return result
    end
    if self.closed or LASTING[code_of(result)] then
      error(result, 0)
    end
    self:trouble(result)
    skynet.sleep(pause)
    pause = pause * 2 < LONGEST_PAUSE and pause * 2 or LONGEST_PAUSE
  end
end

--- Notes that Redis does not answer; the log has it once until it answers again.
---@param what any
function store:trouble(what)
  if not self.troubled then
    self.troubled = true
    skynet.error(("bridge %s-%s: %s"):format(self.own, self.peer, tostring(what)))
  end
end

-- Takes a new epoch, unless somebody else has since `used` was.
local function renew(self, used)
  if self.epoch ~= used then
    return
  end
  local others = self.renewing
  if others then
    others[#others + 1] = coroutine.running()
    skynet.wait()
    return
  end
  others = {}
  self.renewing = others
  local ok, epoch = pcall(self.ask, self, "incr", self.fence)
  self.renewing = nil
  if ok then
    self.epoch = tostring(epoch)
  end
  for _, other in ipairs(others) do
    skynet.wakeup(other)
  end
  if not ok then
    error(epoch, 0)
  end
end

local function run(self, epoch, operation, uid, id, purse, giver, arguments)
  local db = connection(self, "steps")
  local function evaluate(command, what)
    return db[command](
      db, what, 5,
      self.fence, self.open_prefix .. uid, self.players, self.wallet_prefix .. uid, giver .. "_" .. uid,
      epoch, operation, self.own, uid, id, purse, unpack(arguments)
    )
  end
  if self.sha then
    local ok, reply = pcall(evaluate, "evalsha", self.sha)
    if ok then
      return reply
    elseif not tostring(reply):find("NOSCRIPT", 1, true) then
      error(reply, 0)
    end
  end
  self.sha = db:script("load", self.script)
  return evaluate("evalsha", self.sha)
end

--- Does one step of a transfer, once. **Yields** until its answer is known, however long Redis is away.
--- Raises when the link is closed, or when the server refuses the script for good.
---@param operation string
---@param uid string
---@param id string
---@param purse "shared"|"own"|"none"
---@param giver string
---@param arguments string[]
---@return string[] reply
function store:step(operation, uid, id, purse, giver, arguments)
  local pause = FIRST_PAUSE
  if not self.epoch then
    renew(self, nil)
  end
  while true do
    local epoch = self.epoch
    local ok, reply = pcall(run, self, epoch, operation, uid, id, purse, giver, arguments)
    if ok and reply[1] ~= "fenced" then
      self.troubled = false
      return reply
    end
    if not ok then
      if self.closed or LASTING[code_of(reply)] then
        error(reply, 0)
      end
      self:trouble(reply)
      skynet.sleep(pause)
      pause = pause * 2 < LONGEST_PAUSE and pause * 2 or LONGEST_PAUSE
    end
    renew(self, epoch)
  end
end

-- Lets go on who waits for this side to listen.
local function release(self)
  local hearers = self.hearers
  self.hearers = {}
  for token in pairs(hearers) do
    skynet.wakeup(token)
  end
end

--- Waits until this side listens, for so many hundredths of a second at most: the answer to what goes out
--- earlier would be lost. **Yields.**
---@param ticks integer
---@return boolean listening
function store:await_listening(ticks)
  if not (self.listening or self.closed) then
    local token = {}
    self.hearers[token] = true
    skynet.sleep(ticks, token)
    self.hearers[token] = nil
  end
  return self.listening == true
end

-- Publishes what waits, a batch at a time: while one is under way the next one gathers.
local function flush(self)
  while self.count > 0 do
    local batch, tokens = self.waiting, self.tokens
    self.waiting, self.tokens, self.count = {}, {}, 0
    local ok, last = pcall(function()
      return connection(self, "messages"):pipeline(batch)
    end)
    if ok then
      -- All go to the peer's one channel. Whoever is told too much finds out from the record.
      if last == 0 then
        for _, token in pairs(tokens) do
          self.nobody(token)
        end
      end
    elseif self.closed then
      break
    else
      self:trouble(last)
      skynet.sleep(FIRST_PAUSE)
    end
  end
  self.flushing = false
end

--- Publishes a message, with others that come at the same time. It may get lost. `self.nobody` is told
--- the tokens of messages that nobody received.
---@param channel string
---@param message string
---@param token? any
function store:publish(channel, message, token)
  if self.closed or self.count >= MOST_WAITING then
    return
  end
  local count = self.count + 1
  self.count = count
  self.waiting[count] = { "publish", channel, message }
  self.tokens[count] = token
  if not self.flushing then
    self.flushing = true
    skynet.fork(flush, self)
  end
end

-- Notes that the server has subscribed `watch` to the channel. Redis is asked, since a watch says nothing of
-- it; a server that does not tell is believed to have.
local function note_listening(self, watch, channel)
  while self.watch == watch and not (self.listening or self.closed) do
    local ok, reply = pcall(function()
      return connection(self, "steps"):pubsub("numsub", channel)
    end)
    if self.watch == watch and (ok and tonumber(reply[2]) > 0 or not ok and LASTING[code_of(reply)]) then
      self.listening = true
      release(self)
      return
    end
    skynet.sleep(ok and 1 or FIRST_PAUSE)
  end
end

--- Calls `receive` with each message of the channel, until the link is closed. **Yields.**
---@param channel string
---@param receive fun(message: string)
function store:listen(channel, receive)
  local pause = FIRST_PAUSE
  while not self.closed do
    local ok, why = pcall(function()
      local watch = redis.watch(self.conf)
      self.watch = watch
      watch:subscribe(channel)
      skynet.fork(note_listening, self, watch, channel)
      while true do
        local message = watch:message()
        if not message or self.closed then
          return
        end
        pause = FIRST_PAUSE
        receive(message)
      end
    end)
    self.watch, self.listening = nil, false
    if not ok and not self.closed then
      self:trouble(why)
    end
    if not self.closed then
      skynet.sleep(pause)
      pause = pause * 2 < LONGEST_PAUSE and pause * 2 or LONGEST_PAUSE
    end
  end
end

--- Ends the connections. Steps that are under way raise.
function store:close()
  self.closed = true
  release(self)
  for _, name in ipairs { "steps", "messages", "watch" } do
    local open = self[name]
    self[name] = nil
    if open then
      pcall(open.disconnect, open)
    end
  end
end

return store
