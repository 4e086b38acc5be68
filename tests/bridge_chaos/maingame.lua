-- A main game of the chaos test that keeps its balances in a database of its own: another database of the
-- same server, written by scripts that keep a note of each id, as docs/bridge.md asks (section 5).
local skynet = require "skynet"
local redis = require "skynet.db.redis"
local bridge = require "bridge"
local new_wallet = require("bridge.wallet").new

local port = tonumber(skynet.getenv "chaos_port")

local TAKE = [[
local note = redis.call('HGET', KEYS[1], 'take:' .. ARGV[1])
if note then return note end
local balance, wanted = tonumber(redis.call('HGET', KEYS[1], 'gold') or '0'), tonumber(ARGV[2])
if wanted == 0 then wanted = balance end
if wanted > balance then wanted = 0 end
local text = string.format('%.0f', wanted)
if wanted > 0 then redis.call('HINCRBY', KEYS[1], 'gold', '-' .. text) end
redis.call('HSET', KEYS[1], 'take:' .. ARGV[1], text)
return text
]]

local GIVE = [[
if redis.call('HEXISTS', KEYS[1], 'give:' .. ARGV[1]) == 1 then return 0 end
redis.call('HINCRBY', KEYS[1], 'gold', ARGV[2])
redis.call('HSET', KEYS[1], 'give:' .. ARGV[1], ARGV[2])
return 1
]]

skynet.start(function()
  local database
  local function run(script, uid, id, amount)
    if not database then
      database = redis.connect { host = "127.0.0.1", port = port, db = 1, command_timeout = 200 }
    end
    return database:eval(script, 1, "player:" .. uid, id, amount)
  end

  local link = bridge.open {
    redis = { host = "127.0.0.1", port = port },
    own = "d", peer = "f", timeout = 0.5, sweep = 1,
  }
  local wallet = new_wallet(link, {
    take = function(uid, id, wanted)
      local taken = tonumber(run(TAKE, uid, id, wanted.gold))
      if taken == 0 then
        return nil, "nothing"
      end
      return { gold = taken }
    end,
    give = function(uid, id, amounts)
      run(GIVE, uid, id, amounts.gold)
    end,
  })
  link:handle("req_login", function(uid)
    link:recover(uid)
  end)
  link:handle("req_gift", function(uid, fields)
    wallet:move_out(uid, { gold = tonumber(fields.gold) })
  end)
end)
