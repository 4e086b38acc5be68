--- bridge: links to another system that shares this one's players, through Redis. docs/bridge.md.
---
---     local link = bridge.open { redis = { host = "127.0.0.1" }, own = "f", peer = "d" }
---     link:handle("req_hello", function(uid, fields) return { text = "hello " .. fields.name } end)
---     local answer, why = link:request(10001, "req_hello", { name = "a" })
---
--- Invariant: what a transfer does is decided by its machine (`bridge.core`); this file does what the
--- machine asks for and tells it how that ended.
--- Not here: balances (`bridge.wallet`), connections (`bridge.store`).

local skynet = require "skynet"
local core = require "bridge.core"
local new_store = require("bridge.store").new
local transfers = require "bridge.transfer"

local assert, error, ipairs, next, pairs, pcall, setmetatable, tostring, type =
  assert, error, ipairs, next, pairs, pcall, setmetatable, tostring, type
local floor = math.floor
local now = skynet.now
local accept, adopt, go_on, offer = transfers.accept, transfers.adopt, transfers.go_on, transfers.offer
local milliseconds, open_transfers, say = transfers.milliseconds, transfers.open, transfers.say

-- How often requests whose time is up are looked for, in hundredths of a second.
local TICK = 10

---@class bridge.conf
---@field redis table what `skynet.db.redis.connect` takes
---@field own string short name of this system: 1 to 16 letters and digits
---@field peer string short name of the other system
---@field instance? string name of this process among those of the system: "1"
---@field wallet? string short name under which the balances in Redis are: that of `own`
---@field send? string channel to the peer: OWN_to_PEER
---@field receive? string channel from the peer: PEER_to_OWN
---@field timeout? number seconds until a request has failed: 3
---@field plain? boolean the peer knows the plain protocol alone
---@field sweep? number seconds between two looks at what hangs, 0 for none: 30
---@field present? fun(uid: string, command: string): boolean?, string? false refuses what comes for a player

---@alias bridge.fields table<string, string|number|boolean>

---@class bridge.info
---@field id? string of what has to arrive; handle each id once
---@field command string

---@alias bridge.handler fun(uid: string, fields: table<string, string>, info: bridge.info): bridge.fields?, string?

---@class bridge.restored
---@field id string
---@field command string
---@field outcome "moved"|"stored"|"returned"|"refused"|"left"|"elsewhere"|"nothing"
---@field fields table<string, string>

---@class bridge.link
---@field own string
---@field peer string
---@field timeout number
local link = {}
link.__index = link

local bridge = {}

-- True when all amounts are zero: whoever sends that asks for amounts.
local function asks(fields)
  for _, digits in pairs(fields) do
    if digits ~= "0" then
      return false
    end
  end
  return next(fields) ~= nil
end

local function answer(self, uid, command, session, fields, why)
  self.store:publish(self.send_channel, core.answer(self.core, uid, command, session, fields, why))
end

-- A request of the peer, in a coroutine of its own.
local function serve(self, command, uid, fields, session, id, member)
  local purse = self.purses[command]
  if (id or purse) and self.present then
    local present, why = self.present(uid, command)
    if not present then
      return session and answer(self, uid, command, session, nil, tostring(why or "not present"))
    end
  end
  if id then
    if purse or self.handlers[command] then
      return accept(self, uid, id, command, session, "request", member)
    end
  elseif purse and session then
    if asks(fields) then
      return offer(self, uid, command, session, "pull", fields)
    end
    return adopt(self, uid, command, session, "request", nil, fields)
  end
  local handler = self.handlers[command]
  if not handler then
    return session and answer(self, uid, command, session, nil, "no handler of " .. command)
  end
  local ok, result, why = pcall(handler, uid, fields, { command = command })
  if not ok then
    say(self, "player %s, handler of %s: %s", uid, command, tostring(result))
    result, why = nil, "failed"
  end
  if session then
    ok, why = pcall(answer, self, uid, command, session, result, why and tostring(why))
    if not ok then
      say(self, "player %s, answer to %s: %s", uid, command, tostring(why))
      answer(self, uid, command, session, nil, "failed")
    end
  end
end

local function wake(token, word, fields)
  if token.word == nil then
    token.word, token.fields = word, fields
    skynet.wakeup(token)
  end
end

-- An answer that no request waits for, and no transfer of this process: an offer that comes too late, or
-- word of a transfer that an earlier process began.
local function stray(self, command, uid, fields, session, id)
  local kind = command:sub(1, 4)
  if kind == "rsp_" and not fields.result and not fields.error then
    self.store:publish(
      self.send_channel,
      core.answer(self.core, uid, command:sub(5), session, nil, "too late", "nak_", id)
    )
  elseif kind == "ack_" then
    skynet.fork(self.settle, self, uid)
  end
end

local function receive(self, message)
  local kind, a, b, c, d, e, f = core.receive(self.core, message)
  if kind == "answer" then
    local token = self.waiting[a]
    self.waiting[a] = nil
    if token then
      wake(token, "answer", b)
    end
  elseif kind == "request" then
    if not (e and self.active[e]) then
      skynet.fork(serve, self, a, b, c, d, e, f)
    end
  elseif kind == "word" then
    local token = e and self.active[e] or d and self.by_session[b .. "\0" .. d]
    if token then
      wake(token, a:sub(1, 4) ~= "nak_" and c.error == nil and "yes" or "no", c)
    elseif e then
      stray(self, a, b, c, d, e)
    end
  else
    say(self, "a message of %d bytes from %s: %s", #message, self.receive_channel, a)
  end
end

local function expire(self)
  while not self.closed do
    skynet.sleep(TICK)
    local session = core.expire(self.core, now())
    while session do
      local token = self.waiting[session]
      self.waiting[session] = nil
      if token then
        wake(token, "timeout")
      end
      session = core.expire(self.core, now())
    end
  end
end

-- A request whose message nobody received.
local function nobody(self, token)
  if type(token) == "table" then
    if token.transfer then
      wake(token, "no", { error = "nobody listens" })
    end
  elseif core.close(self.core, token) then
    local waiting = self.waiting[token]
    self.waiting[token] = nil
    wake(waiting, "nobody")
  end
end

-- Waits for the answer to a request: its fields, or nil and why there are none.
local function ask(self, uid, command, fields, timeout)
  local ticks = floor((timeout or self.timeout) * 100)
  local deadline = now() + ticks
  local message, session = core.request(self.core, uid, command, fields, deadline)
  local token = {}
  self.waiting[session] = token
  local listening = self.store:await_listening(ticks)
  if token.word == nil then
    if listening then
      self.store:publish(self.send_channel, message, session)
    end
    skynet.wait(token)
  end
  if token.word == "answer" then
    return token.fields, nil, session
  end
  local why = token.word == "nobody" and "nobody listens on " .. self.send_channel
    or token.word == "closed" and "the link is closed"
    or not listening and ("Redis has not subscribed %s within %g s"):format(self.receive_channel, timeout or self.timeout)
    or ("no answer within %g s"):format(timeout or self.timeout)
  return nil, ("bridge %s-%s: %s for player %s: %s"):format(self.own, self.peer, command, uid, why)
end
bridge.ask = ask

--- Sets the handler of a command: it gets uid, fields and info, and returns the answer's fields, or
--- nil and a text for an error. What was delivered may come again with the same `info.id` until the
--- handler has returned.
---@param command string
---@param handler? bridge.handler
function link:handle(command, handler)
  self.handlers[command] = handler
end

--- Sends a request and waits for its answer. **Yields.** It may be lost; then nothing is kept.
---@param uid string|integer
---@param command string
---@param fields? bridge.fields
---@param timeout? number seconds
---@return table<string, string>? answer
---@return string? why there is none
function link:request(uid, command, fields, timeout)
  local result, why = ask(self, tostring(uid), command, fields, timeout)
  if result and result.error then
    return nil, result.error
  end
  return result, why
end

--- Sends a message that wants no answer.
---@param uid string|integer
---@param command string
---@param fields? bridge.fields
function link:send(uid, command, fields)
  self.store:publish(self.send_channel, core.notice(self.core, tostring(uid), command, fields))
end

--- Sends a command that must arrive: answered, or stored in Redis until the peer asks for it. **Yields.**
---@param uid string|integer
---@param command string
---@param fields? bridge.fields
---@return "answered"|"stored"|nil how
---@return table<string, string>|string|nil detail the answer's fields, or why it was stored or refused
---@return string id
function link:deliver(uid, command, fields)
  assert(not self.purses[command], "amounts are moved by the wallet")
  local session = tostring(core.session(self.core))
  local outcome, a, b, id, token = offer(self, tostring(uid), command, session, "push", fields)
  local got = token and token.fields
  if outcome == "moved" then
    if got then
      got.result = nil
    end
    return "answered", got, id
  elseif outcome == "stored" or outcome == "left" then
    return "stored", got and got.error or outcome == "left" and a or "no answer", id
  end
  return nil, tostring(b ~= "" and b or a or outcome), id
end

--- Goes on with the transfers of a player that this process or an earlier one left open, offers not
--- included. **Yields.**
---@param uid string|integer
---@return integer settled
function link:settle(uid)
  local settled = 0
  for _, found in ipairs(open_transfers(self, tostring(uid))) do
    if go_on(self, found, false) then
      settled = settled + 1
    end
  end
  return settled
end

--- Takes what the peer has stored for a player and settles what is open: to be called at login. **Yields.**
---@param uid string|integer
---@return bridge.restored[]
function link:recover(uid)
  uid = tostring(uid)
  local restored, tried = {}, {}
  local function note(outcome, id, command, fields)
    if outcome then
      restored[#restored + 1] = { id = id, command = command, outcome = outcome, fields = fields }
    end
  end
  for _, member in ipairs(self.store:ask("smembers", self.peer .. "_" .. uid)) do
    local command, fields, session, id = core.member(self.core, member)
    if not command then
      say(self, "player %s, a stored member of %d bytes: %s; it stays", uid, #member, fields)
    elseif id then
      if not self.active[id] then
        local outcome = accept(self, uid, id, command, session, "found", member)
        tried[id] = true
        -- Refused: it had been settled, and only the member was left.
        note(outcome ~= "refused" and outcome or nil, id, command, fields)
      end
    else
      local ok, outcome, _, _, new = pcall(adopt, self, uid, command, session, "found", member, fields)
      if ok then
        note(outcome, new, command, fields)
      else
        say(self, "player %s, a stored member: %s; it stays", uid, tostring(outcome))
      end
    end
  end
  for _, found in ipairs(open_transfers(self, uid)) do
    if not tried[found.id] then
      note(go_on(self, found, true), found.id, found.command, found.fields)
    end
  end
  return restored
end

--- All open transfers between the two systems, or those of one player. **Yields.**
---@param uid? string|integer
---@return bridge.transfer[]
function link:transfers(uid)
  if uid then
    return open_transfers(self, tostring(uid))
  end
  local list = {}
  for _, player in ipairs(self.store:ask("smembers", self.store.players)) do
    for _, found in ipairs(open_transfers(self, player)) do
      list[#list + 1] = found
    end
  end
  return list
end

--- Goes on with all that hangs: older than `age` seconds, and nobody's work. **Yields.**
---@param age? number 0
---@return integer settled
function link:sweep(age)
  local before = milliseconds() - floor((age or 0) * 1000)
  local settled, failures = 0, {}
  for _, player in ipairs(self.store:ask("smembers", self.store.players)) do
    for _, found in ipairs(open_transfers(self, player)) do
      if (found.giver ~= self.own or found.at <= before) and go_on(self, found, false) then
        settled = settled + 1
      end
      failures[found.id] = self.failures[found.id]
    end
  end
  -- What another process has settled is no longer counted.
  self.failures = failures
  return settled
end

local function sweep(self, seconds)
  local pause = self.timeout
  while not self.closed do
    skynet.sleep(floor(pause * 100) + TICK)
    if self.closed then
      return
    end
    -- What is younger may be another process' work.
    local ok, why = pcall(self.sweep, self, self.timeout)
    if not ok and not self.closed then
      say(self, "sweep: %s", tostring(why))
    end
    pause = seconds
  end
end

--- How much is under way.
---@return { requests: integer, transfers: integer, listening: boolean }
function link:stat()
  local transfers = 0
  for _ in pairs(self.active) do
    transfers = transfers + 1
  end
  return {
    requests = core.open(self.core),
    transfers = transfers,
    listening = self.store.listening == true,
  }
end

--- Ends the link. Requests fail; transfers stay open and are settled by the next process.
function link:close()
  self.closed = true
  self.store:close()
  for session, token in pairs(self.waiting) do
    core.close(self.core, session)
    wake(token, "closed")
  end
  self.waiting = {}
end

--- Opens a link. Its connections are made and repaired in the background.
---@param conf bridge.conf
---@return bridge.link
function bridge.open(conf)
  if type(conf) ~= "table" or not conf.redis then
    error("bad argument #1 to 'open' (a table with `redis`, `own` and `peer` expected)", 2)
  end
  local own, peer = conf.own, conf.peer
  local self = setmetatable({
    core = core.new(own, peer, conf.plain),
    own = own,
    peer = peer,
    plain = conf.plain,
    present = conf.present,
    timeout = conf.timeout or 3,
    send_channel = conf.send or own .. "_to_" .. peer,
    receive_channel = conf.receive or peer .. "_to_" .. own,
    handlers = {},
    purses = {},
    active = {},
    by_session = {},
    waiting = {},
    failures = {},
  }, link)
  self.store = new_store(conf.redis, own, peer, conf.instance or "1", conf.wallet or own)
  self.store.nobody = function(token)
    nobody(self, token)
  end
  skynet.fork(self.store.listen, self.store, self.receive_channel, function(message)
    receive(self, message)
  end)
  skynet.fork(expire, self)
  local seconds = conf.sweep or 30
  if seconds > 0 then
    skynet.fork(sweep, self, seconds)
  end
  return self
end

return bridge
