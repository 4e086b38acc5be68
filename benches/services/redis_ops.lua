-- skynet.db.redis against a redis-server on 127.0.0.1:18720: commands one after the other, from 64
-- coroutines on one connection, and messages through a watch
local skynet = require "skynet"
local redis = require "skynet.db.redis"
local bench = require "bench"

local conf = { host = "127.0.0.1", port = 18720, db = 0 }
local value = string.rep("v", 64)

local function one_by_one(db, n)
  local t = bench.now()
  for i = 1, n // 2 do
    local key = "key" .. i % 1000
    db:set(key, value)
    assert(db:get(key) == value)
  end
  bench.rate("redis_seq", n, bench.now() - t, "ops/s")
end

local function concurrent(db, n)
  local coroutines = 64
  local each = n // coroutines // 2
  local t = bench.now()
  bench.parallel(coroutines, function(c)
    local key = "co" .. c
    for _ = 1, each do
      db:set(key, value)
      db:get(key)
    end
  end)
  bench.rate("redis_64co", each * coroutines * 2, bench.now() - t, "ops/s")
end

local function messages(db, n)
  local watch = redis.watch(conf)
  watch:subscribe "news"
  skynet.sleep(10)
  local main, got, publishers = coroutine.running(), 0, 16
  skynet.fork(function()
    while got < n do
      assert(watch:message() == value)
      got = got + 1
    end
    skynet.wakeup(main)
  end)
  local t = bench.now()
  for _ = 1, publishers do
    skynet.fork(function()
      for _ = 1, n // publishers do
        db:publish("news", value)
      end
    end)
  end
  skynet.wait(main)
  bench.rate("redis_pubsub", n, bench.now() - t, "msgs/s")
  watch:disconnect()
end

bench.main(function()
  local n = bench.param("bench_n", 30000)
  local db = redis.connect(conf)
  db:flushdb()
  one_by_one(db, n)
  concurrent(db, n * 4)
  messages(db, n)
  db:disconnect()
end)
