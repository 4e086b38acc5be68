-- newservice returns when the start function of the new service has returned; services start side by side.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local address = skynet.newservice("slow_start", "a", 3)
  print("newservice returned", math.type(address))
  print(skynet.call(address, "lua", 1))

  local left = 2
  for name, delay in pairs { b = 40, c = 10 } do
    skynet.fork(function()
      skynet.newservice("slow_start", name, delay)
      left = left - 1
    end)
  end
  repeat
    skynet.sleep(1)
  until left == 0
  skynet.abort()
end)
