-- since: 1.4
-- skynet.request sends several requests at once and select yields each answer as it arrives.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer, other = skynet.newservice "peer", skynet.newservice "peer"

  local request = skynet.request { peer, "lua", "sleep", 30, "slow" }
  print("chained", request:add { other, "lua", "sleep", 15, "middle" } == request)
  request { peer, "lua", "echo", "quick", nil, 3, n = 6 }
  for req, answer in request:select() do
    print(req[1] == peer and "peer" or "other", req[3], answer.n, table.unpack(answer, 1, answer.n))
  end
  print("timeout", request.timeout)

  -- Arguments up to `n`, counted from the address on, nils included.
  for _, answer in skynet.request({ peer, "lua", "count", nil, nil, n = 5 }):select() do
    print("count", answer[1])
  end

  -- A failed request gives false; others are not touched by it.
  request = skynet.request { peer, "lua", "raise", "x" }
  request:add { other, "lua", "echo", "fine" }
  local results = {}
  for req, answer in request:select() do
    results[#results + 1] = ("%s %s"):format(req[3], answer and answer[1])
  end
  table.sort(results)
  print(table.concat(results, ", "))

  -- An empty one ends at once.
  for _ in skynet.request():select() do
    print "this must not print"
  end
  print "empty"
  skynet.abort()
end)
