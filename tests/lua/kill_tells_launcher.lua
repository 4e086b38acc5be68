-- since: 1.5
-- A service killed by ":hex" is forgotten by the launcher; a newservice waiting for it fails.
local skynet = require "skynet"
require "skynet.manager"

local function list()
  return skynet.call(".launcher", "lua", "LIST")
end

skynet.start(function()
  local peer = skynet.newservice "peer"
  skynet.kill(skynet.address(peer))
  print("listed", list()[skynet.address(peer)])

  skynet.fork(function()
    print("newservice", (pcall(skynet.newservice, "slow_start", "slow", 100000)))
  end)
  skynet.sleep(5)
  for address, command in pairs(list()) do
    if command:find "slow_start" then
      skynet.kill(address)
    end
  end
  skynet.sleep(5)
  skynet.abort()
end)
