-- a socket handed to another service: abandon, start there; what was unread is not lost to a reader that waits
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local function port_of(id)
  for _, info in ipairs(socket.netstat()) do
    if info.id == id then
      return tonumber(info.sock:match ":(%d+)$")
    end
  end
end

if ... == "agent" then
  skynet.start(function()
    skynet.dispatch("lua", function(_, _, id)
      skynet.retpack(socket.start(id) == id)
      while true do
        local line, rest = socket.readline(id)
        if not line then
          socket.close(id)
          return
        end
        socket.write(id, "agent:" .. line .. "\n")
      end
    end)
  end)
  return
end

skynet.start(function()
  local agent = skynet.newservice(SERVICE_NAME, "agent")
  local lid = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id)
    socket.start(id)
    local line = socket.readline(id)
    socket.write(id, "gate:" .. line .. "\n")
    socket.abandon(id)
    local abandoned = socket.invalid(id)
    local started = skynet.call(agent, "lua", id)
    socket.write(id, ("%s %s\n"):format(abandoned, started))
  end)
  local port = port_of(lid)
  local id = socket.open("127.0.0.1", port)
  socket.write(id, "one\n")
  print(socket.readline(id))
  print(socket.readline(id))
  socket.write(id, "two\n")
  print(socket.readline(id))
  socket.close(id)
  skynet.abort()
end)
