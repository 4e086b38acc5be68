--- bridge.wallet: currencies and items that move between two systems, each transfer once or not at all.
---
---     local wallet = require("bridge.wallet").new(link)
---     local moved = wallet:move_in(10001, { "gold", "item.*" })
---     local how, id = wallet:move_out(10001, { gold = 1000 })
---
--- Balances are in Redis, or in the game's own database behind `take` and `give` (docs/bridge.md, 5).
--- Not here: what is decided and when (`bridge`, `bridge.core`).

local core = require "bridge.core"
local bridge = require "bridge"
local queue = require "skynet.queue"
local transfers = require "bridge.transfer"

local error, ipairs, next, pairs, pcall, setmetatable, tonumber, tostring, type =
  error, ipairs, next, pairs, pcall, setmetatable, tonumber, tostring, type

---@class bridge.wallet.conf
---@field command? string the request that moves amounts: "req_mv_gold"
---@field take? fun(uid: string, id: string, wanted: table<string, integer>): table<string, integer>?, string?
---@field give? fun(uid: string, id: string, amounts: table<string, integer>)

---@class bridge.wallet
---@field link bridge.link
---@field command string
local wallet = {}
wallet.__index = wallet

local function amounts(fields)
  local result = {}
  for name, digits in pairs(fields) do
    local amount = tonumber(digits)
    if amount and amount > 0 then
      result[name] = amount
    end
  end
  return result
end

--- The wallet of a link, or a further one under another command. With `take` and `give` the balances
--- are the game's own; without them they are in Redis.
---@param link bridge.link
---@param conf? bridge.wallet.conf
---@return bridge.wallet
function wallet.new(link, conf)
  conf = conf or {}
  if not conf.take ~= not conf.give then
    error("bad argument #2 to 'new' (`take` and `give` go together)", 2)
  end
  local command = conf.command or "req_mv_gold"
  local kind = conf.take and "own" or "shared"
  link.purses[command] = { kind = kind, take = conf.take, give = conf.give }
  return setmetatable({ link = link, command = command, kind = kind, changing = {} }, wallet)
end

-- Why nothing was moved, in words.
local function reason(outcome, a, b)
  if outcome == "refused" then
    return b and b ~= "" and a .. " " .. b or a
  elseif outcome == "returned" then
    return "the receiver did not take it; it was given back"
  elseif outcome == "left" then
    return "undecided: " .. tostring(a)
  end
  return outcome
end

--- Moves all that the player has at the peer of these names to this system: he enters. A name that
--- ends in `.*` stands for all that begin so. **Yields** until it is decided.
---@param uid string|integer
---@param names string[]
---@return table<string, integer>? moved empty when there was nothing
---@return string? why nothing was moved
---@return string? id
function wallet:move_in(uid, names)
  local link, command = self.link, self.command
  local fields = {}
  for _, name in ipairs(names) do
    fields[name] = 0
  end
  uid = tostring(uid)
  local answer, why, session = bridge.ask(link, uid, command, fields)
  if not answer then
    return nil, why
  elseif answer.error then
    return nil, answer.error
  end
  local id, outcome, a, b = answer.id, nil, nil, nil
  answer.id = nil
  if id then
    outcome, a, b = transfers.accept(link, uid, id, command, tostring(session), "answer")
  else
    local offered = amounts(answer)
    if not (link.plain and next(offered)) then
      return {}
    end
    outcome, a, b, id = transfers.adopt(link, uid, command, tostring(session), "answer", nil, offered)
  end
  if outcome == "moved" then
    return amounts(a), nil, id
  end
  return nil, reason(outcome, a, b), id
end

--- Moves these amounts of the player from this system to the peer: he leaves. **Yields** until the peer
--- has them, or until they are stored and reach it at the player's next login there.
---@param uid string|integer
---@param wanted table<string, integer>
---@return "moved"|"stored"|nil how
---@return string why_or_id the id, or why nothing was taken
function wallet:move_out(uid, wanted)
  local link = self.link
  local session = tostring(core.session(link.core))
  local outcome, a, b, id = transfers.offer(link, tostring(uid), self.command, session, "push", wanted)
  if outcome == "moved" or outcome == "stored" then
    return outcome, id
  end
  return nil, reason(outcome, a, b)
end

--- What a player has here. **Yields.** Only for balances in Redis.
---@param uid string|integer
---@return table<string, integer>
function wallet:balance(uid)
  local store = self.link.store
  local flat = store:ask("hgetall", store.wallet_prefix .. tostring(uid))
  local result = {}
  for i = 1, #flat, 2 do
    if flat[i]:sub(1, 1) ~= "_" then
      result[flat[i]] = tonumber(flat[i + 1])
    end
  end
  return result
end

--- Adds to a player's balances, or takes from them: all differences, or none when one would leave
--- less than nothing. **Yields.** Only for balances in Redis.
---@param uid string|integer
---@param differences table<string, integer>
---@return boolean? changed
---@return string? why not
function wallet:change(uid, differences)
  if self.kind ~= "shared" then
    error("the balances of this wallet are the game's own", 2)
  end
  uid = tostring(uid)
  local flat = {}
  for name, difference in pairs(differences) do
    if type(name) ~= "string" or math.type(difference) ~= "integer" or name:find "[^%w_.-]" or name:find "^_" then
      error(("bad argument #2 to 'change' (`%s` is changed by %s)"):format(tostring(name), tostring(difference)), 2)
    end
    flat[#flat + 1] = name
    flat[#flat + 1] = ("%d"):format(difference)
  end
  -- A repetition is known by the last change of the player, so there is one at a time.
  local link, lock = self.link, self.changing[uid]
  if not lock then
    lock = { count = 0, run = queue() }
    self.changing[uid] = lock
  end
  lock.count = lock.count + 1
  local ok, reply = pcall(lock.run, function()
    return link.store:step("change", uid, core.id(link.core), "shared", link.own, flat)
  end)
  lock.count = lock.count - 1
  if lock.count == 0 then
    self.changing[uid] = nil
  end
  if not ok then
    error(reply, 0)
  elseif reply[1] == "changed" then
    return true
  end
  return nil, reply[1] .. " " .. tostring(reply[2])
end

--- The open transfers of all players, or of one. **Yields.**
---@param uid? string|integer
---@return bridge.transfer[]
function wallet:list(uid)
  local mine = {}
  for _, found in ipairs(self.link:transfers(uid)) do
    if found.command == self.command then
      mine[#mine + 1] = found
    end
  end
  return mine
end

--- Lists what hangs and settles what this side can: decided transfers are applied and closed, offers
--- of this side that nobody accepted are returned or stored. **Yields.**
---@param all? boolean also accept what is offered to this side, as at a login of each player
---@return integer settled
---@return bridge.transfer[] open what is still open, for the peer to settle
function wallet:reconcile(all)
  local link = self.link
  local settled = link:sweep(0)
  if all then
    local seen = {}
    for _, found in ipairs(self:list()) do
      if not seen[found.uid] then
        seen[found.uid] = true
        settled = settled + #link:recover(found.uid)
      end
    end
  end
  return settled, self:list()
end

--- Takes a stored transfer of this side back that the peer has not accepted. **Yields.**
---@param uid string|integer
---@param id string
---@return boolean? returned
---@return string? why not
function wallet:cancel(uid, id)
  local link = self.link
  uid = tostring(uid)
  for _, found in ipairs(link:transfers(uid)) do
    if found.id == id and found.giver == link.own and not found.running then
      local outcome = transfers.cancel(link, found)
      if outcome == "returned" then
        return true
      end
      return nil, outcome
    end
  end
  return nil, "no open transfer of this side"
end

return wallet
