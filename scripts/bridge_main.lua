-- The main game's side of the bridge (docs/bridge.md): system "d", in which all players live. It needs no line for
-- moving gold: the wallet answers the fishing game's requests by itself.
local skynet = require "skynet"
local bridge = require "bridge"
local wallet = require "bridge.wallet"

skynet.start(function()
  local link = bridge.open {
    -- The embedded store says its address here; with a Redis of one's own it is a key of the config.
    redis = { url = "redis://" .. skynet.getenv "redis_address", auth = skynet.getenv "redis_password" },
    own = "d",
    peer = "f",
  }
  local gold = wallet.new(link)

  -- What the fishing game stored while this one was away is settled when the player logs in.
  link:handle("req_login", function(uid)
    for _, restored in ipairs(link:recover(uid)) do
      print(("main game: player %s logs in, transfer %s: %s"):format(uid, restored.id, restored.outcome))
    end
    if next(gold:balance(uid)) == nil then
      gold:change(uid, { gold = 5000, diamond = 20, ["item.rod"] = 1 })
    end
    local has = gold:balance(uid)
    return { gold = has.gold, diamond = has.diamond }
  end)
end)
