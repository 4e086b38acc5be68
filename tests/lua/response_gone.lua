-- A response object whose requester died answers false; one whose owner exits answers with an error.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local holder = skynet.newservice "peer"

  -- The requester exits while its call is pending: the holder learns of it.
  local caller = skynet.newservice "peer"
  skynet.send(caller, "lua", "call", holder, "hold")
  skynet.sleep(5)
  print("awaited", skynet.call(holder, "lua", "release", "TEST"))
  skynet.send(caller, "lua", "exit")
  skynet.sleep(5)
  print("requester exited", skynet.call(holder, "lua", "release", "TEST"))
  print("answer", skynet.call(holder, "lua", "release", true, "nobody"))

  -- The requester is killed: the answer finds a dead address.
  caller = skynet.newservice "peer"
  skynet.send(caller, "lua", "call", holder, "hold")
  skynet.sleep(5)
  skynet.kill(caller)
  skynet.sleep(5)
  print("answer", skynet.call(holder, "lua", "release", true, "nobody"))

  -- The owner exits with two unanswered objects: both callers fail.
  local failed = 0
  for _ = 1, 2 do
    skynet.fork(function()
      if not pcall(skynet.call, holder, "lua", "hold") then
        failed = failed + 1
      end
    end)
  end
  skynet.sleep(5)
  print("exit", pcall(skynet.call, holder, "lua", "exit") == false)
  skynet.sleep(5)
  print("failed", failed)
  skynet.abort()
end)
