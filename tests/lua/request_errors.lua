-- since: 1.4
-- Requests to dead addresses come first and without an answer; a timeout ends the loop and sets a flag; misuse raises.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"

  local request = skynet.request { peer, "lua", "echo", "alive" }
  request:add { 0xfffff0, "lua", "echo", "dead" }
  for req, answer in request:select() do
    print(req[4], answer and answer[1])
  end

  request = skynet.request { peer, "lua", "sleep", 1000, "too late" }
  request:add { peer, "lua", "sleep", 2, "in time" }
  for _, answer in request:select(30) do
    print(answer[1])
  end
  print("timeout", request.timeout)
  request:close()

  request = skynet.request { peer, "lua", "echo", "in time" }
  for _, answer in request:select(100) do
    print(answer[1])
  end
  print("timeout", request.timeout)

  print("select again", (pcall(request.select, request)))
  print("add after select", (pcall(request.add, request, { peer, "lua", "echo" })))
  print("add no table", (pcall(skynet.request, "x")))
  print("no such type", (pcall(function()
    return skynet.request({ peer, "nosuch" }):select()
  end)))

  -- Leaving the loop early and closing abandons what is pending, without unknown responses.
  skynet.dispatch_unknown_response(function()
    print "this must not print"
  end)
  request = skynet.request { peer, "lua", "sleep", 10, "late" }
  request:add { peer, "lua", "echo", "first" }
  for _, answer in request:select() do
    print(answer[1])
    break
  end
  request:close()
  request:close()
  skynet.sleep(20)
  print "closed"
  skynet.abort()
end)
