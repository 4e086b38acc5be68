-- The fishing game's side of the bridge: system "f". It moves a player's gold here and back, and prints each step.
local skynet = require "skynet"
local bridge = require "bridge"
local wallet = require "bridge.wallet"

local PLAYER = 10001

local function text(amounts)
  local list = {}
  for name, amount in pairs(amounts) do
    list[#list + 1] = name .. " " .. amount
  end
  table.sort(list)
  return #list > 0 and table.concat(list, ", ") or "nothing"
end

local function say(step, ...)
  print("fishing: " .. step:format(...))
end

local function play(link, gold)
  -- The main game may still be starting, or be another process that is.
  local has, why = link:request(PLAYER, "req_login")
  if not has then
    say("the main game does not answer yet: %s", why)
  end
  while not has do
    skynet.sleep(20)
    has, why = link:request(PLAYER, "req_login")
  end
  say("player %d has %s gold and %s diamonds in the main game", PLAYER, has.gold, has.diamond)

  local moved, id
  moved, why, id = gold:move_in(PLAYER, { "gold", "diamond", "item.*" })
  if not moved then
    return say("he cannot enter: %s", why)
  end
  say("he enters with %s (transfer %s)", text(moved), id or "none")

  gold:change(PLAYER, { gold = 250 })
  say("he catches a fish for 250 gold and has %s", text(gold:balance(PLAYER)))

  local leaving = {}
  for name, amount in pairs(gold:balance(PLAYER)) do
    leaving[name] = amount > 0 and amount or nil
  end
  local how
  how, id = gold:move_out(PLAYER, leaving)
  if not how then
    return say("he cannot leave with it: %s", id)
  end
  say("he leaves with %s: %s (transfer %s)", text(leaving), how, id)

  has = link:request(PLAYER, "req_login")
  if has then
    say("in the main game he has %s gold and %s diamonds", has.gold, has.diamond)
  end
  say("open transfers: %d", #gold:list())
end

skynet.start(function()
  local link = bridge.open {
    redis = { url = "redis://" .. skynet.getenv "redis_address", auth = skynet.getenv "redis_password" },
    own = "f",
    peer = "d",
  }
  -- The start function ends at once, so that what starts this service does not wait for the main game.
  skynet.fork(play, link, wallet.new(link))
end)
