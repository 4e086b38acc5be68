-- Loading a shared library, also by what the refusing searcher might hold.
-- expect: may not load native modules
-- expect: no native module
local skynet = require "skynet"

skynet.start(function()
  local file = assert(io.open("evil.so", "wb"))
  file:write "\127ELF"
  file:close()
  package.cpath = "./?.so"
  assert(not pcall(package.loadlib, "./evil.so", "*"))
  for _, searcher in ipairs(package.searchers) do
    assert(not debug.getupvalue(searcher, 1))
  end
  skynet.error(select(2, pcall(package.loadlib, "./evil.so", "luaopen_evil")))
  require "evil"
end)
