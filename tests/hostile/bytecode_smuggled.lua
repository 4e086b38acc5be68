-- Compiled code by the ways on which services of the node itself exchange functions.
-- expect: 'x' is no function of this node
-- expect: nothing got through
local skynet = require "skynet"

skynet.start(function()
  local internal = require "skynet.internal"
  local code = string.dump(function() print "has escaped" end)
  assert(not pcall(internal.load_function, code, "x"))
  assert(not pcall(internal.load_function, ("x"):rep(8) .. code, "x"))
  local signed = internal.dump_function(function() print "has escaped" end)
  assert(internal.load_function(signed, "genuine"))
  assert(not pcall(internal.load_function, signed .. "x", "x"))
  local provider = skynet.uniqueservice "service_provider"
  assert(not pcall(skynet.call, provider, "lua", "launch", "smuggled", code))
  skynet.error "nothing got through"
  internal.load_function(code, "x")
end)
