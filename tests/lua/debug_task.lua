-- The debug command TASK gives tracebacks of what waits: all, of one session, or of the start function.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  skynet.fork(pcall, skynet.call, peer, "lua", "sleep", 1000)
  skynet.sleep(5)

  local tasks, n = skynet.call(peer, "debug", "TASK"), 0
  for _, trace in pairs(tasks) do
    n = n + 1
    print(trace:match "stack traceback", trace:match "peer%.lua" )
  end
  print("tasks", n)
  print("no session", skynet.call(peer, "debug", "TASK", 123456))
  print("init when started", skynet.call(peer, "debug", "TASK", "init"))

  -- While a service starts, TASK "init" shows where.
  local address
  skynet.fork(function()
    address = skynet.newservice("slow_start", "slow", 60)
  end)
  local starting
  repeat
    skynet.sleep(1)
    for name, command in pairs(skynet.call(".launcher", "lua", "LIST")) do
      if command:match "slow_start" then
        starting = name
      end
    end
  until starting
  skynet.sleep(5)
  local trace = skynet.call(starting, "debug", "TASK", "init")
  print("init", trace:match "stack traceback", trace:match "slow_start%.lua")
  repeat
    skynet.sleep(1)
  until address

  local unique = skynet.call(peer, "debug", "UNIQTASK")
  for head, text in pairs(unique) do
    print("UNIQTASK", (head:gsub("%[%d+%]", "[N]"):gsub("\n$", "")), text:match "stack traceback")
  end
  skynet.abort()
end)
