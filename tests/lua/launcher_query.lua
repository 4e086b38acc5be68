-- The launcher's QUERY tells the address of a service still starting by the session of the newservice call.
local skynet = require "skynet"
require "skynet.manager"

local function ask(...)
  return skynet.call(".launcher", "lua", ...)
end

skynet.start(function()
  -- Sessions of all services are looked up in one table, so our own start must be over first.
  skynet.timeout(0, function()
    print("unknown", ask("QUERY", 123456))
    local started
    local waiting = skynet.fork(function()
      started = skynet.newservice("slow_start", "slow", 60)
    end)
    skynet.sleep(5)
    local session = skynet.task(waiting)
    local starting = ask("QUERY", session)
    print(math.type(starting), ask "LIST"[skynet.address(starting)])
    repeat
      skynet.sleep(1)
    until started
    print("the same", started == starting)
    print("afterwards", ask("QUERY", session))
    skynet.abort()
  end)
end)
