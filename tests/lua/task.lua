-- skynet.task counts what waits, tells the session of a coroutine and gives tracebacks; uniqtask groups equal ones.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.yield()
  local before = skynet.task()
  print(math.type(before))
  local function sleeper()
    skynet.sleep(1000)
  end
  local threads = {}
  for i = 1, 3 do
    threads[i] = skynet.fork(sleeper)
  end
  print("forked, not waiting", skynet.task() - before, skynet.task(threads[1]))
  skynet.yield()
  print("waiting", skynet.task() - before)

  local session = skynet.task(threads[1])
  print(math.type(session), skynet.task(threads[2]) == session + 1, skynet.task(threads[3]) == session + 2)
  local trace = skynet.task(session)
  print(trace:match "^stack traceback:", trace:match "sleep", trace:match "task%.lua")
  print(skynet.task(0), skynet.task(-1))
  print("unknown thread", skynet.task(coroutine.create(print)))
  print("none", select("#", skynet.task "nosuch"))

  local all, n = {}, 0
  print("filled", skynet.task(all))
  for _, text in pairs(all) do
    n = n + (text == trace and 1 or 0)
  end
  print("tracebacks alike", n)

  local groups = {}
  for head in pairs(skynet.uniqtask()) do
    groups[#groups + 1] = head:gsub("%d+,%d+,%d+", "A,B,C"):gsub("\t", " "):gsub("\n", "")
  end
  print("three alike", table.concat(groups, ";"):match "3 sessions:%[A,B,C%]")

  skynet.wakeup(threads[2])
  skynet.yield()
  print("init", skynet.task "init" ~= nil)
  skynet.timeout(0, function()
    print("init of a started service", skynet.task "init")
    skynet.abort()
  end)
end)
