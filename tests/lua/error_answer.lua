-- A PTYPE_ERROR message fails the call it names by session; with session 0 it fails every call to its sender.
local skynet = require "skynet"
require "skynet.manager"

local results = {}

local function call(what, address, ...)
  local ok, message = pcall(skynet.call, address, "lua", ...)
  results[#results + 1] = ("%s: %s %s"):format(what, ok, tostring(message):gsub("^.*:%d+: ", ""))
end

--- Prints what has ended so far, sorted: pending calls are failed in no particular order.
local function show()
  skynet.sleep(5)
  table.sort(results)
  print(table.concat(results, "\n"))
  results = {}
end

skynet.start(function()
  local one, two = skynet.newservice "peer", skynet.newservice "peer"

  skynet.fork(call, "named session", one, "hold")
  local session = skynet.genid() + 1
  skynet.sleep(0)
  -- `session` was taken by skynet.sleep; the call came next.
  skynet.redirect(skynet.self(), one, "error", session + 1, "")
  show()
  print(skynet.call(one, "lua", "release", "TEST"))
  skynet.call(one, "lua", "release", false)

  skynet.fork(call, "first to one", one, "hold")
  skynet.fork(call, "second to one", one, "hold")
  skynet.fork(call, "to two", two, "hold")
  skynet.sleep(5)
  skynet.redirect(skynet.self(), one, "error", 0, "")
  show()
  skynet.call(two, "lua", "release", true, "answered")
  show()

  -- An error for a session nobody waits for changes nothing.
  skynet.redirect(skynet.self(), one, "error", 123456, "")
  print(skynet.call(two, "lua", "echo", "fine"))
  skynet.abort()
end)
