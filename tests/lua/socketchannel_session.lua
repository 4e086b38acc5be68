-- since: 1.6
-- A channel whose answers name their session: any order, parts, errors, unknown sessions, loss, closing.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"

--- Keeps what it is sent until it is told `go`, then sends the lines back, the last first.
local connections = 0
local function serve(fd)
  connections = connections + 1
  socket.start(fd)
  local kept = {}
  while true do
    local line = socket.readline(fd)
    if not line or line == "break" then
      break
    elseif line == "go" then
      for i = #kept, 1, -1 do
        socket.write(fd, kept[i] .. "\n")
      end
      kept = {}
    else
      kept[#kept + 1] = line
    end
  end
  socket.close(fd)
end

--- An answer is `session ok text [more]`; `raise` and `none` are bad ones.
local function response(sock)
  local line = sock:readline()
  if line == "raise" then
    error("bad answer", 0)
  elseif line == "none" then
    return
  end
  local session, ok, text, more = line:match "^(%d+) (%a+) (%S+) ?(%a*)"
  return tonumber(session), ok == "ok", text, more == "more"
end

local function try(channel, ...)
  local ok, value = pcall(channel.request, channel, ...)
  if value == socketchannel.error then
    value = tostring(value)
  elseif type(value) == "table" then
    value = table.concat(value, "|")
  elseif type(value) == "string" then
    value = value:gsub("^[^ ]*%.lua:%d+: ", "")
  end
  return tostring(ok) .. " " .. tostring(value)
end

--- Makes a request for each pair of session and line, then does `last`; gives what each has shown.
local function together(channel, requests, last)
  local me, left, results = coroutine.running(), #requests, {}
  for i, request in ipairs(requests) do
    skynet.fork(function()
      results[i] = try(channel, request[2] .. "\n", request[1])
      left = left - 1
      if left == 0 then
        skynet.wakeup(me)
      end
    end)
  end
  skynet.fork(last)
  skynet.wait(me)
  return table.unpack(results)
end

skynet.start(function()
  local listener, host, port = socket.listen("127.0.0.1", 0)
  socket.start(listener, function(fd)
    skynet.fork(serve, fd)
  end)
  local channel = socketchannel.channel { host = host, port = port, response = response }
  local function say(line)
    return function()
      channel:request(line .. "\n")
    end
  end

  print("any order", together(channel, { { 1, "1 ok one" }, { 2, "2 ok two" }, { 3, "3 no three" } }, say "go"))
  -- The lines come back last first: the parts of session 5 are therefore b, a.
  print("parts", together(channel, { { 4, "4 ok single" }, { 5, "5 ok a\n5 ok b more" } }, say "go"))
  print("failed parts", together(channel, { { 6, "6 no why\n6 ok b more" } }, say "go"))
  print("unknown", together(channel, { { 7, "7 ok known\n99 ok unknown" } }, say "go"))
  print("connections", connections)
  print("lost", together(channel, { { 8, "8 ok x" }, { 9, "9 ok y" } }, say "break"))
  print("raised", together(channel, { { 1, "1 ok x" }, { 2, "raise" }, { 3, "3 ok first" } }, say "go"))
  print("no session", together(channel, { { 1, "1 ok x" }, { 2, "none" }, { 3, "3 ok first" } }, say "go"))
  print("connections", connections)
  channel:connect(true)
  print("closed", together(channel, { { 1, "1 ok x" }, { 2, "2 ok x" } }, function() channel:close() end))
  print("connect", channel:connect(true), together(channel, { { 1, "1 ok back" } }, say "go"))
  skynet.fork(function()
    channel:request "2 ok waited\ngo\n"
  end)
  print("response", channel:response(2))
  print("connections", connections)
  skynet.abort()
end)
