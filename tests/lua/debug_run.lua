-- The debug command RUN reaches a service's upvalues through _U and _P, and its globals; own commands can be added.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "informed"
  local function run(source, ...)
    return skynet.call(peer, "debug", "RUN", source, ...)
  end

  print(skynet.call(peer, "lua"))
  print(run "print(_P.lua.secret.word); _P.lua.secret.word = 'changed'")
  print(skynet.call(peer, "lua"))
  print(run "print(type(_U.proto), type(_U.skynet), SERVICE_NAME)")
  print(run "new_global = 'set in the chunk only'; print(new_global)")
  print(run "print(tostring(new_global))")
  print(run "_G.new_global = 'set for all'")
  print(run "print(tostring(new_global))")
  print(skynet.call(peer, "debug", "OWN", 1, 2))
  skynet.abort()
end)
