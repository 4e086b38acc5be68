-- The fishing game of the chaos test: players enter and leave, at two main games, while everything breaks.
local skynet = require "skynet"
local bridge = require "bridge"
local new_wallet = require("bridge.wallet").new

local players = tonumber(skynet.getenv "chaos_players")
local workers = tonumber(skynet.getenv "chaos_workers")
local address = { host = "127.0.0.1", port = tonumber(skynet.getenv "chaos_port") }
local random = math.random

local links, wallets, busy = {}, {}, {}
local stopping, running, done = false, 0, 0

local function pick()
  while true do
    local uid = random(players)
    if not busy[uid] then
      return uid
    end
    skynet.sleep(0)
  end
end

local function deed(uid)
  local which = random(#links)
  local link, wallet = links[which], wallets[which]
  local dice = random(100)
  local id, _
  if dice <= 42 then
    _, _, id = wallet:move_in(uid, { "gold" })
  elseif dice <= 84 then
    local balance = wallet:balance(uid).gold or 0
    if balance > 0 then
      _, id = wallet:move_out(uid, { gold = random(balance) })
    end
  elseif dice <= 90 then
    link:request(uid, "req_login", {}, 1)
  elseif dice <= 95 then
    link:request(uid, "req_gift", { gold = random(100) }, 1)
  else
    link:recover(uid)
  end
  if id then
    done = done + 1
  end
end

local function work()
  running = running + 1
  while not stopping do
    local uid = pick()
    busy[uid] = true
    local ok, why = pcall(deed, uid)
    busy[uid] = nil
    if not ok then
      skynet.error("CHAOS-ERROR " .. tostring(why))
      skynet.sleep(1)
    end
  end
  running = running - 1
end

-- A player logs in at both games, and here.
local function recover(uid)
  for _, link in ipairs(links) do
    repeat
      local answer = link:request(uid, "req_login", {}, 5)
    until answer
    link:recover(uid)
  end
end

local function settle()
  repeat
    local next_uid, left = 0, 0
    for _ = 1, workers do
      left = left + 1
      skynet.fork(function()
        while next_uid < players do
          next_uid = next_uid + 1
          recover(next_uid)
        end
        left = left - 1
      end)
    end
    while left > 0 do
      skynet.sleep(1)
    end
    local open = 0
    for _, link in ipairs(links) do
      link:sweep(0)
      open = open + #link.store:ask("smembers", link.store.players)
    end
    skynet.error("CHAOS-OPEN " .. open)
  until open == 0
end

skynet.start(function()
  math.randomseed(tonumber(skynet.getenv "chaos_seed"))
  for i, names in ipairs { { "f", "d" }, { "g", "m" } } do
    links[i] = bridge.open {
      redis = address, own = names[1], peer = names[2], wallet = "f", timeout = 0.5, sweep = 1,
    }
    wallets[i] = new_wallet(links[i])
  end
  for _ = 1, workers do
    skynet.fork(work)
  end
  local store = links[1].store
  while not stopping do
    skynet.sleep(10)
    local count = done
    done = 0
    store:ask("incrby", "chaos:transfers", count)
    stopping = store:ask("get", "chaos:stop") == "1"
  end
  while running > 0 do
    skynet.sleep(1)
  end
  settle()
  store:ask("rpush", "chaos:settled", "1")
end)
