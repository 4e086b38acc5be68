-- A snax service has functions that are called by name, with an answer (req) or without (post).
-- config: snax = "tests/lua/snax/?.lua"
local skynet = require "skynet"
require "skynet.manager"
local snax = require "skynet.snax"

local function fails(f, ...)
  local ok, err = pcall(f, ...)
  err = tostring(err):gsub("stack traceback.*", ""):gsub("%s+$", ""):gsub("[^ ]*%.lua:%d+: ", "")
  print(ok, (err:gsub(" %[?[^ ]*snaxd?%]? ", " ")))
end

skynet.start(function()
  local counter = snax.newservice("counter", "one", 2)
  print(counter.type, math.type(counter.handle), tostring(counter) == ("[counter:%x]"):format(counter.handle))
  print("add", counter.req.add(5))
  print("add", counter.req.add(0.5))
  print("nothing", select("#", counter.req.nothing()))
  print("self", counter.req.self())
  print("neighbour", counter.req.neighbour())
  print("post", select("#", counter.post.note "a"))
  print("fail", (pcall(counter.req.fail)))
  print("after", counter.req.add(1))

  print("bind", snax.bind(counter.handle, "counter") == counter)
  fails(snax.bind, counter.handle, "other")
  fails(function() counter.req.note() end)
  fails(function() counter.post.add() end)
  fails(function() counter.req.nosuch() end)
  fails(snax.newservice, "twice")

  local interface = snax.interface "counter"
  print(interface.name, interface.system.init, interface.system.exit, interface.system.hotfix,
    interface.system.profile)
  print(interface.response.add, interface.response.fail, interface.accept.note, interface.accept.leave)

  local info = snax.profile_info(counter)
  print("profile", info.add.count, math.type(info.add.time), info.fail.count, info.note.count)

  local unique = snax.uniqueservice("counter", "unique")
  print("unique", unique == snax.uniqueservice("counter", "again"), unique == snax.queryservice "counter",
    unique ~= counter)
  print("global", snax.globalservice("counter", "global") == snax.queryglobal "counter")

  snax.kill(counter, "killed")
  print("dead", (pcall(counter.req.add, 1)))
  unique.post.leave("left")
  skynet.sleep(5)
  print("left", (pcall(unique.req.add, 1)))
  snax.printf("%s", "to the log")
  skynet.abort()
end)
