-- Every service answers PTYPE_DEBUG commands by itself: PING, MEM, GC, STAT, INFO, SUPPORT, RUN; an unknown one fails.
local skynet = require "skynet"
require "skynet.manager"

local function show(...)
  print(select("#", ...), ...)
end

skynet.start(function()
  local peer = skynet.newservice "informed"
  local bare = skynet.newservice "no_dispatch"
  local function debug(...)
    return skynet.call(peer, "debug", ...)
  end

  show(debug "PING")
  local memory = debug "MEM"
  print("MEM", math.type(memory), memory > 10, memory < 100000)

  local stat = debug "STAT"
  local keys = {}
  for key, value in pairs(stat) do
    keys[#keys + 1] = key .. "=" .. math.type(value)
  end
  table.sort(keys)
  print("STAT", table.concat(keys, " "))
  print(stat.task, stat.mqlen, stat.message > 0, stat.cpu >= 0)

  show(debug "INFO")
  show(debug("INFO", "a", nil, 3))
  show(skynet.call(bare, "debug", "INFO"))

  print("SUPPORT", debug("SUPPORT", "lua"), debug("SUPPORT", "debug"))
  print("SUPPORT", debug("SUPPORT", "response"), debug("SUPPORT", "nosuch"))
  print("SUPPORT", skynet.call(bare, "debug", "SUPPORT", "lua"))

  show(debug("RUN", "print('a', 1); print 'b'"))
  show(debug("RUN", "print(...)", "chunk", "x", 2))
  local ok, output = debug("RUN", "print 'before'; error 'boom'")
  print(ok, output:match "^before\n", output:match "boom")
  ok, output = debug("RUN", "this is no Lua")
  print(ok, output)

  print("GC", skynet.send(peer, "debug", "GC"))
  print("unknown", (pcall(debug, "NOSUCH")))
  print("still there", select("#", debug "PING"))
  skynet.abort()
end)
