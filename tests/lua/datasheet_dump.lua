-- skynet.datasheet.dump: tables as bytes and back; differences keep the numbers of the tables.
local skynet = require "skynet"
require "skynet.manager"
local dump = require "skynet.datasheet.dump"
local core = require "skynet.datasheet.core"

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

skynet.start(function()
  print(hex(dump.dump { 7, "x", on = true }))
  print(hex(dump.dump {}))
  local t, numbers = dump.undump(dump.dump { 1, -1, 0.5, 2.0, "text", false, big = 2 ^ 40, list = { { "deep" } } })
  print(t[1], t[2], t[3], t[4], math.type(t[4]), t[5], t[6], t.big, #t, t.list[1][1])
  print(numbers[t], numbers[t.list], numbers[t.list[1]])

  local last = dump.dump { a = { 1 }, b = { 2 } }
  local current = dump.dump { c = { 3 }, b = { 4 } }
  local merged, index = dump.undump(dump.diff(last, current))
  local _, old = dump.undump(last)
  print(merged.c[1], merged.b[1], merged.a, index[merged], old[dump.undump(last)])

  -- A pointer stands for a sheet; a view follows when it is told.
  local view = core.new(core.stringpointer(last))
  local b = view.b
  print(b[1], view.a[1])
  core.update(view, core.stringpointer(current))
  print(b[1], view.a, view.c[1])

  for _, bad in ipairs { "", "\0", last:sub(1, 20), ("\255"):rep(64) } do
    print((pcall(dump.undump, bad)), (pcall(dump.diff, last, bad)))
  end
  skynet.abort()
end)
