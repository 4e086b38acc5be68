-- Addresses are integers written as a colon and eight lower case hex digits; the top byte is the harbor.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  print(math.type(self), self > 0, self < 0x1000000, self == skynet.self())
  print(skynet.address(0xabcdef), skynet.address(1), skynet.address(0xff000001))
  print(skynet.address ":0000000a", skynet.address ".name", skynet.address(nil), skynet.address(), skynet.address(true))
  print(skynet.address(self) == (":%08x"):format(self))
  print("harbor", skynet.harbor(self))
  print("harbor", skynet.harbor(0x01000001))
  print("harbor", skynet.harbor(0xff00000a))
  print("no number", pcall(skynet.harbor, "x") == false)

  -- Addresses are not reused soon: a fresh service gets a number not used before.
  local one = skynet.newservice "peer"
  skynet.kill(one)
  local two = skynet.newservice "peer"
  print("fresh", two > one)
  skynet.abort()
end)
