-- A service sees its name and folder as globals, not the loader's own; a folder service finds its neighbours.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  print(SERVICE_NAME, SERVICE_PATH)
  print(LUA_SERVICE, LUA_PATH, LUA_CPATH, LUA_PRELOAD)
  print(package.path == skynet.getenv "lua_path", package.cpath == skynet.getenv "lua_cpath")

  print(skynet.call(skynet.newservice("folder", "argument"), "lua"))
  print("neighbour from here", (pcall(require, "neighbour")))

  -- Every service has globals of its own.
  shared = "mine"
  local other = skynet.newservice "globals"
  print("theirs", skynet.call(other, "lua", "shared"))
  print("name of the other", skynet.call(other, "lua", "SERVICE_NAME"))
  print("folder of the other", skynet.call(other, "lua", "SERVICE_PATH"))
  skynet.abort()
end)
