-- Sockets of this machine for pairs: servers on a free port, and clients that speak raw bytes.
local skynet = require "skynet"
local socket = require "skynet.socket"

local loopback = {}

-- Listens; `serve(id)` runs for each connection, which is closed behind it. Returns the port and the listener.
function loopback.listen(serve)
  local listener = socket.listen("127.0.0.1", 0)
  local port
  socket.start(listener, function(id)
    skynet.fork(function()
      socket.start(id)
      local ok, err = pcall(serve, id)
      if not ok then
        print("the server failed", err)
      end
      socket.close(id)
    end)
  end)
  for _, one in ipairs(socket.netstat()) do
    if one.id == listener then
      port = tonumber(one.sock:match(":(%d+)$"))
    end
  end
  return port, listener
end

-- Sends the pieces one after the other, and returns all that comes back.
function loopback.ask(port, ...)
  local id = assert(socket.open("127.0.0.1", port))
  for _, piece in ipairs { ... } do
    socket.write(id, piece)
    skynet.yield()
  end
  local answer = socket.readall(id)
  socket.close(id)
  return answer or ""
end

return loopback
