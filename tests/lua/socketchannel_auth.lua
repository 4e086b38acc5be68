-- since: 1.6
-- A channel that authenticates after each connect: backups, changed addresses, refusals, readers of its own.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"

--- Starts a server that answers each line with its own name; `break` ends the connection.
local function start_server(name)
  local id, host, port = socket.listen("127.0.0.1", 0)
  socket.start(id, function(fd)
    skynet.fork(function()
      socket.start(fd)
      while true do
        local line = socket.readline(fd)
        if not line or line == "break" then
          break
        end
        socket.write(fd, name .. " " .. line .. "\n")
      end
      socket.close(fd)
    end)
  end)
  return { id = id, host = host, port = port }
end

local function read_line(sock)
  return true, sock:readline()
end

local function try(channel, line)
  local ok, value = pcall(channel.request, channel, line .. "\n", read_line)
  return ok, tostring(value)
end

skynet.start(function()
  local first, second, third = start_server "first", start_server "second", start_server "third"

  -- auth runs on each connect and may use the channel; others wait until it is done.
  local authentications = 0
  local channel = socketchannel.channel {
    host = first.host, port = first.port,
    auth = function(channel)
      authentications = authentications + 1
      assert(channel:request("login\n", read_line):match "login$", "login")
    end,
  }
  local me, results = coroutine.running(), {}
  for i = 1, 3 do
    skynet.fork(function()
      results[i] = select(2, try(channel, "request " .. i))
      if #results == 3 then
        skynet.wakeup(me)
      end
    end)
  end
  skynet.wait(me)
  print(table.concat(results, ", "), authentications)
  channel:changehost(second.host, second.port)
  print("changed", try(channel, "x"))
  print("authentications", authentications)

  -- An address that refuses, and one whose auth fails, are passed over for the backups.
  local nobody = start_server "nobody"
  socket.close(nobody.id)
  local refused = {}
  channel = socketchannel.channel {
    host = nobody.host, port = nobody.port,
    backup = { { host = first.host, port = first.port }, { host = second.host, port = second.port } },
    auth = function(channel)
      local name = channel:request("login\n", read_line)
      if name ~= "second login" then
        refused[#refused + 1] = name
        error("not here", 0)
      end
    end,
  }
  print("backup", try(channel, "x"))
  print("refused", table.unpack(refused))
  channel:close()

  -- auth may change the address, and give nothing but failures.
  channel = socketchannel.channel {
    host = first.host, port = first.port,
    auth = function(channel)
      if channel:request("who\n", read_line) ~= "third who" then
        channel:changehost(third.host, third.port)
      end
    end,
  }
  print("moved by auth", try(channel, "x"))
  channel:close()
  channel = socketchannel.channel {
    host = first.host, port = first.port,
    auth = function()
      error("never", 0)
    end,
  }
  print("never", try(channel, "x"))
  channel:changebackup { { host = second.host, port = second.port } }
  print("never", try(channel, "x"))

  -- Methods of the connection in place of its own.
  channel = socketchannel.channel {
    host = first.host, port = first.port,
    socket_readline = function(sock, ...)
      return "<" .. socket.readline(sock[1], ...) .. ">"
    end,
  }
  print("own readline", try(channel, "x"))
  print("read stays", channel:request("ab\n", function(sock)
    return true, sock:read(9)
  end))
  skynet.abort()
end)
