-- preload: tests/lua/service/preloaded.lua
-- The file named by the config key preload runs in each service first and gets the service's name and arguments.
local skynet = require "skynet"
require "skynet.manager"

print("here", preload_saw, preload_name, preload_path, SERVICE_NAME)

skynet.start(function()
  local other = skynet.newservice("globals", "a", "b c")
  print("there", skynet.call(other, "lua", "preload_saw"), skynet.call(other, "lua", "preload_name"))
  print("LUA_PRELOAD", LUA_PRELOAD, skynet.getenv "preload")
  skynet.abort()
end)
