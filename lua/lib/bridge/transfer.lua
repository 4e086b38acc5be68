--- bridge.transfer: runs the machines of a link's transfers (`bridge.core`): does what a machine asks for and tells it
--- how that ended.
---
--- Invariant: no two machines of this process run at the same time for one id.
--- Not here: messages and requests (`bridge`), steps in Redis (`bridge.store`).

local skynet = require "skynet"
local core = require "bridge.core"

local ipairs, pairs, pcall, tostring, type = ipairs, pairs, pcall, tostring, type
local floor = math.floor

---@class bridge.purse
---@field kind "shared"|"own"
---@field take? fun(uid: string, id: string, wanted: table<string, integer>): table<string, integer>?, string?
---@field give? fun(uid: string, id: string, amounts: table<string, integer>)

---@class bridge.transfer
---@field id string
---@field uid string
---@field state "taking"|"offered"|"stored"|"accepted"|"seen"|"applied"|"returning"
---@field giver string
---@field command string
---@field mode "pull"|"push"
---@field at integer milliseconds since 1970, by the giver's clock
---@field fields table<string, string> amounts, or the fields of a command
---@field running boolean a transfer of this process works on it

local transfers = {}

--- Milliseconds since 1970.
---@return integer
function transfers.milliseconds()
  return floor(skynet.time() * 1000)
end
local milliseconds = transfers.milliseconds

--- Writes a line of the log about a link.
---@param self bridge.link
---@param text string
function transfers.say(self, text, ...)
  skynet.error(("bridge %s-%s: "):format(self.own, self.peer) .. text:format(...))
end
local say = transfers.say

-- Waits under a token; true when it was woken in time.
local function await(self, token)
  if token.word == nil then
    skynet.sleep(floor(self.timeout * 100), token)
  end
  return token.word
end

local function numbers(amounts)
  local result = {}
  for name, digits in pairs(amounts) do
    result[name] = floor(digits)
  end
  return result
end

-- What the game's `take` says, as an event of the machine.
local function take(purse, uid, id, wanted)
  local ok, taken, why = pcall(purse.take, uid, id, numbers(wanted))
  if not ok then
    return "failed", taken
  elseif type(taken) == "table" then
    return "taken", taken
  end
  return "refused", tostring(why or "refused")
end

-- What the game's `give`, or the handler of a command, says.
local function give(self, purse, uid, id, fields, command)
  if purse then
    local ok, why = pcall(purse.give, uid, id, numbers(fields))
    if ok then
      return "given"
    end
    return "failed", why
  end
  local handler = self.handlers[command]
  if not handler then
    return "failed", "no handler"
  end
  local ok, answer, why = pcall(handler, uid, fields, { id = id, command = command })
  if ok and not why then
    return "given", answer
  end
  return "failed", ok and why or answer
end

-- Says that a transfer failed: the first time, then the 2nd, 4th, 8th, as each sweep tries it again.
local function say_failed(self, uid, id, command, why)
  local times = (self.failures[id] or 0) + 1
  self.failures[id] = times
  if times & (times - 1) == 0 then
    local again = times > 1 and (", %d times so far"):format(times) or ""
    say(self, "player %s, transfer %s (%s): %s; it stays open%s", uid, id, command, tostring(why), again)
  end
end

-- Does what a transfer's machine asks for until it has ended: its outcome, and what belongs to it.
local function drive(self, transfer, uid, id, giver, command, token)
  local purse = self.purses[command]
  local event, detail = "start", nil
  while true do
    local effect, a, b, c, d = core.step(transfer, event, detail)
    detail = nil
    if effect == "step" then
      event, detail = "reply", self.store:step(a, uid, b, c, giver, d)
    elseif effect == "send" then
      if self.store:await_listening(floor(self.timeout * 100)) then
        self.store:publish(self.send_channel, a, token)
      end
      event = "sent"
    elseif effect == "await" then
      event = await(self, token) or "silence"
    elseif effect == "take" then
      event, detail = take(purse, uid, a, b)
    elseif effect == "give" then
      event, detail = give(self, purse, uid, a, b, command)
    else
      return a, b, c
    end
    if event == "failed" then
      say_failed(self, uid, id, command, detail)
      detail = nil
    end
  end
end

-- Runs one transfer. No two of this process run at the same time for one id.
local function run(self, transfer, uid, id, giver, command, session)
  -- The word may name the id, or the session alone if the peer keeps no records.
  local token = { transfer = true }
  local key = session and uid .. "\0" .. session
  self.active[id] = token
  if key then
    self.by_session[key] = token
  end
  local ok, outcome, a, b = pcall(drive, self, transfer, uid, id, giver, command, token)
  self.active[id] = nil
  if key and self.by_session[key] == token then
    self.by_session[key] = nil
  end
  if not ok then
    say_failed(self, uid, id, command, outcome)
    return "left", tostring(outcome), nil, token
  elseif outcome ~= "left" then
    self.failures[id] = nil
  end
  return outcome, a, b, token
end

local function purse_of(self, command)
  local purse = self.purses[command]
  return purse and purse.kind or "none"
end

--- Begins to give. **Yields** until it is decided or stored.
---@param self bridge.link
---@param uid string
---@param command string
---@param session string
---@param mode "push"|"pull"
---@param fields? table
---@return string outcome
---@return any a
---@return any b
---@return string id
---@return table? token
function transfers.offer(self, uid, command, session, mode, fields)
  local id = core.id(self.core)
  local purse = purse_of(self, command)
  local transfer = core.give(self.core, uid, id, command, session, mode, purse, milliseconds(), fields)
  local outcome, a, b, token = run(self, transfer, uid, id, self.own, command, session)
  return outcome, a, b, id, token
end

--- Accepts an offer. **Yields.**
---@param self bridge.link
---@param uid string
---@param id string
---@param command string
---@param session? string
---@param way "request"|"answer"|"found"
---@param member? string
---@return string outcome
---@return any a
---@return any b
function transfers.accept(self, uid, id, command, session, way, member)
  local purse = purse_of(self, command)
  local transfer = core.take(self.core, uid, id, command, session, purse, way, member)
  return run(self, transfer, uid, id, self.peer, command)
end

--- Accepts what a plain peer gave: it has no id yet. **Yields.**
---@param self bridge.link
---@param uid string
---@param command string
---@param session? string
---@param way "request"|"answer"|"found"
---@param member? string
---@param fields table
---@return string outcome
---@return any a
---@return any b
---@return string id
function transfers.adopt(self, uid, command, session, way, member, fields)
  local id, purse, at = core.id(self.core), purse_of(self, command), milliseconds()
  local transfer =
    core.adopt(self.core, uid, id, command, session, purse, way, member, self.peer, at, fields)
  local outcome, a, b = run(self, transfer, uid, id, self.peer, command)
  return outcome, a, b, id
end

--- The open transfers of a player, from Redis. **Yields.**
---@param self bridge.link
---@param uid string
---@return bridge.transfer[]
function transfers.open(self, uid)
  local flat = self.store:ask("hgetall", self.store.open_prefix .. uid)
  local list = {}
  for i = 1, #flat, 2 do
    local id, text = flat[i], flat[i + 1]
    local state, giver, command, mode, at, fields, session = core.record(self.core, text)
    if state then
      list[#list + 1] = {
        id = id, uid = uid, state = state, giver = giver, command = command, mode = mode, at = at,
        fields = fields, session = session, text = text, running = self.active[id] ~= nil,
      }
    else
      say(self, "player %s, transfer %s: no record: %s", uid, id, text)
    end
  end
  return list
end

--- Goes on with a transfer that no coroutine works on; nil when there is nothing to do for this side. **Yields.**
---@param self bridge.link
---@param found bridge.transfer
---@param login boolean also accept what is offered
---@return string? outcome
function transfers.go_on(self, found, login)
  local uid, id, command = found.uid, found.id, found.command
  if self.active[id] then
    return nil
  end
  if found.giver == self.own then
    if found.state == "stored" or found.state == "seen" then
      return nil
    end
    local transfer = core.resume(self.core, uid, id, found.text, purse_of(self, command))
    return (run(self, transfer, uid, id, self.own, command))
  end
  local decided = found.state == "accepted" or found.state == "seen"
  local offered = found.state == "offered" or found.state == "stored"
  if decided or login and offered and found.mode == "push" then
    return (transfers.accept(self, uid, id, command, found.session, "found"))
  end
end

--- Gives a transfer of this side back that the peer has not accepted. **Yields.**
---@param self bridge.link
---@param found bridge.transfer
---@return string outcome
function transfers.cancel(self, found)
  local uid, id, command = found.uid, found.id, found.command
  local transfer = core.cancel(self.core, uid, id, found.text, purse_of(self, command))
  return (run(self, transfer, uid, id, self.own, command))
end

return transfers
