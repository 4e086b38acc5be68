-- The launcher lists services as "snlua name args", tells state and memory, launches, forgets, refuses the unknown.
local skynet = require "skynet"
require "skynet.manager"

local function ask(...)
  return skynet.call(".launcher", "lua", ...)
end

local function keys(t)
  local list = {}
  for key, value in pairs(t) do
    list[#list + 1] = ("%s=%s"):format(key, math.type(value) or type(value))
  end
  table.sort(list)
  return table.concat(list, " ")
end

skynet.start(function()
  local peer = skynet.newservice("peer", "a", "b")
  local name = skynet.address(peer)

  local list = ask "LIST"
  print("LIST", list[name], "self:", list[skynet.address(skynet.self())])
  print("lower case", ask "list"[name])

  print("STAT", keys(ask "STAT"[name]))
  print("MEM", (ask "MEM"[name]:gsub("[%d.]+", "N", 1)))
  print("GC", (ask "GC"[name]:gsub("[%d.]+", "N", 1)))
  print("unknown", ask "NOSUCH"[1])

  local new = ask("LAUNCH", "snlua", "peer", "by", "hand")
  print("LAUNCH", math.type(new), skynet.call(new, "lua", "arguments"))

  -- REMOVE forgets a service without asking it.
  skynet.send(".launcher", "lua", "REMOVE", peer, false)
  print("REMOVE", ask "LIST"[name], skynet.call(peer, "lua", "echo", "alive"))
  skynet.abort()
end)
