-- newservice arguments are joined with spaces and split on white space, so all arrive as strings in the main chunk.
local skynet = require "skynet"
require "skynet.manager"

local function show(...)
  local list = table.pack(skynet.call(skynet.newservice("peer", ...), "lua", "arguments"))
  for i = 1, list.n do
    list[i] = ("%q"):format(list[i])
  end
  print(list.n, table.concat(list, " "))
end

skynet.start(function()
  show()
  show "one"
  show("one", "two")
  show(1, 2.5, "3")
  show("two words", " padded ")
  show("tab\tand\vothers\f")
  -- A line break ends the argument line.
  show("before\nafter", "lost")
  show("before\rafter", "lost")
  show("", "after an empty one")
  show("", "")
  show("=;,", "\"quoted\"", "ünïcode")

  print("boolean", (pcall(skynet.newservice, "peer", true)))
  print("table", (pcall(skynet.newservice, "peer", {})))
  print("name with arguments", skynet.call(skynet.newservice "peer a b", "lua", "arguments"))
  skynet.abort()
end)
