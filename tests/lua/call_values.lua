-- skynet.call returns exactly what the callee packed: count, nils, number kinds and nested tables.
local skynet = require "skynet"
require "skynet.manager"

local function show(...)
  local list = table.pack(...)
  for i = 1, list.n do
    list[i] = math.type(list[i]) or tostring(list[i])
  end
  print(list.n, table.concat(list, " "))
end

skynet.start(function()
  local peer = skynet.newservice "peer"
  show(skynet.call(peer, "lua", "echo"))
  show(skynet.call(peer, "lua", "echo", nil))
  show(skynet.call(peer, "lua", "echo", nil, false, nil))
  show(skynet.call(peer, "lua", "echo", 1, 1.0, "1", true))
  print(skynet.call(peer, "lua", "count", nil, nil, nil))

  local answer = skynet.call(peer, "lua", "echo", { 1, { x = { "deep" } }, n = 3 })
  print(answer[1], answer[2].x[1], answer.n, #answer)

  print(skynet.call(peer, "lua", "echo", ("x"):rep(100000)) == ("x"):rep(100000))
  print(skynet.call(peer, "lua", "echo", "a\0b") == "a\0b")
  skynet.abort()
end)
