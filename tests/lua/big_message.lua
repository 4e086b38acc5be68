-- Messages of many megabytes and tables of many thousand entries cross services whole.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  local text = ("0123456789abcdef"):rep(1024 * 1024)
  local answer = skynet.call(peer, "lua", "echo", text)
  print(#answer, answer == text)

  local list = {}
  for i = 1, 100000 do
    list[i] = { id = i, name = "item " .. i }
  end
  local copy = skynet.call(peer, "lua", "echo", list)
  print(#copy, copy[1].name, copy[100000].id, copy[77777].name)
  skynet.abort()
end)
