-- skynet.dispatch sets a handler and gives back the one before; without a function it only asks.
local skynet = require "skynet"
require "skynet.manager"

local function first() skynet.retpack "first" end
local function second() skynet.retpack "second" end

skynet.start(function()
  local self = skynet.self()
  print("none yet", skynet.dispatch "lua")
  print("set", skynet.dispatch("lua", first))
  print("ask", skynet.dispatch "lua" == first)
  print(skynet.call(self, "lua"))
  print("replace", skynet.dispatch("lua", second) == first)
  print(skynet.call(self, "lua"))
  print("unknown type", skynet.dispatch "nosuch")
  print("set unknown type", pcall(skynet.dispatch, "nosuch", first) == false)
  print("by id", skynet.dispatch(skynet.PTYPE_LUA) == second)
  print("response", skynet.dispatch "response")
  print("error", type(skynet.dispatch "error"))
  print("debug", type(skynet.dispatch "debug"))

  -- A handler that replaces itself while it runs finishes as it began.
  skynet.dispatch("lua", function()
    skynet.dispatch("lua", first)
    skynet.sleep(1)
    skynet.retpack "replaced itself"
  end)
  print(skynet.call(self, "lua"))
  print(skynet.call(self, "lua"))
  skynet.abort()
end)
