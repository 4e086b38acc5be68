-- skynet.sharetable shares plain Lua tables without copying; update replaces what this service holds.
local skynet = require "skynet"
require "skynet.manager"
local sharetable = require "skynet.sharetable"

skynet.start(function()
  sharetable.loadtable("table", { 1, 2, x = "y", nested = { z = { 3 } } })
  local t = sharetable.query "table"
  print(type(t), #t, t[2], t.x, t.nested.z[1], t.nothing)
  print("unknown", sharetable.query "nosuch")

  sharetable.loadstring("text", "local n = ...; return { n = n, doubled = n * 2 }", 21)
  print(sharetable.query("text").n, sharetable.query("text").doubled)
  sharetable.loadfile("tests/lua/modules/returned_table.lua", 7)
  print(sharetable.query("tests/lua/modules/returned_table.lua").argument)

  -- Arguments are numbers, booleans and the like; a string is refused.
  print("string argument", (pcall(sharetable.loadstring, "bad", "return {}", "text")))

  -- What one holds stays as it is until update is called for its name.
  local holder = { inside = t.nested }
  sharetable.loadtable("table", { x = "second", nested = { z = { 4 } } })
  print("old", t.x, holder.inside.z[1])
  print("new", sharetable.query("table").x)
  sharetable.update "table"
  print("updated", t.x, holder.inside.z[1])

  print("no table", (pcall(sharetable.loadstring, "bad", "return 1")))
  print("metatable", (pcall(sharetable.loadstring, "bad", "return setmetatable({}, {})")))
  print("bad text", (pcall(sharetable.loadstring, "bad", "no Lua at all")))
  print("query after failure", sharetable.query "bad")
  skynet.abort()
end)
