-- since: 1.6
-- A channel whose answers come in the order of the requests: results, errors, loss of the connection, closing.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"

--- Answers each line with what it says: `ok x`, `no x`, `parts x y`, `break`, `hold` (never).
local connections = 0
local function serve(fd)
  connections = connections + 1
  socket.start(fd)
  while true do
    local line = socket.readline(fd)
    if not line or line == "break" then
      break
    elseif line ~= "hold" then
      socket.write(fd, line .. "\n")
    end
  end
  socket.close(fd)
end

local function read_line(sock)
  local kind, text = sock:readline():match "^(%a+) ?(.*)"
  return kind == "ok", text
end

local function read_parts(sock)
  local text = sock:readline()
  return true, text, text ~= "ok last"
end

local function show(ok, value)
  if value == socketchannel.error then
    return ok, tostring(value)
  end
  return ok, type(value) == "string" and value:gsub("^[^ ]*%.lua:%d+: ", "") or value
end

local function try(channel, ...)
  return show(pcall(channel.request, channel, ...))
end

--- Runs the functions side by side; gives what each has shown, in their order.
local function together(...)
  local me, left, results = coroutine.running(), select("#", ...), {}
  for i, f in ipairs { ... } do
    skynet.fork(function()
      local ok, value = f()
      results[i] = tostring(ok) .. " " .. tostring(value)
      left = left - 1
      if left == 0 then
        skynet.wakeup(me)
      end
    end)
  end
  skynet.wait(me)
  return table.unpack(results)
end

skynet.start(function()
  local listener, host, port = socket.listen("127.0.0.1", 0)
  socket.start(listener, function(fd)
    skynet.fork(serve, fd)
  end)
  local channel = socketchannel.channel { host = host, port = port, nodelay = true }
  print("connect", channel:connect(true), channel:connect(true))
  print(try(channel, "ok one\n", read_line))
  print(try(channel, "no such thing\n", read_line))
  print("no answer", select("#", channel:request "ok "), try(channel, "late\n", read_line))
  print("a list", try(channel, { "ok ", "two", "\n" }, read_line))
  print("padding", try(channel, "ok ", read_line, { "a", "b", "\n" }))
  print("parts", table.concat(channel:request("ok a\nok b\nok last\n", read_parts), "|"))
  print("one part", type(channel:request("ok last\n", read_parts)))
  channel:request "ok nobody asked\n"
  print("response", channel:response(read_line))

  print("side by side", together(
    function() return try(channel, "ok 1\n", read_line) end,
    function() return try(channel, "no 2\n", read_line) end,
    function() return try(channel, "ok 3\n", read_line) end))
  print("connections", connections)

  -- The connection is lost: all who wait fail, and the next request makes another.
  print("lost", together(
    function() return try(channel, "hold\n", read_line) end,
    function() return try(channel, "break\n", read_line) end,
    function() return try(channel, "ok unheard\n", read_line) end))
  print("again", try(channel, "ok again\n", read_line))
  print("connections", connections)

  -- A function that raises ends the connection, with its text for all who wait.
  print("raised", together(
    function() return try(channel, "ok x\n", function(sock) sock:readline() error("bad answer", 0) end) end,
    function() return try(channel, "ok y\n", read_line) end))
  print("again", try(channel, "ok again\n", read_line))
  print("connections", connections)

  -- Closed while somebody waits, then used, then connected again.
  print("closed", together(
    function() return try(channel, "hold\n", read_line) end,
    function() return try(channel, "hold\n", read_line) end,
    function() channel:close() return "closed", channel:close() end))
  print("use closed", (try(channel, "ok x\n", read_line)))
  print("connect", channel:connect(true), try(channel, "ok after\n", read_line))
  print("connections", connections)

  -- Nobody listens.
  channel:close()
  socket.close(listener)
  print("refused", show(pcall(channel.connect, channel, true)))
  print("refused", try(channel, "ok x\n", read_line))
  print(tostring(socketchannel.error))
  skynet.abort()
end)
