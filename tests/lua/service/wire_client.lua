-- Helper: connections of a client; they are closed when it ends the command `close`, or never.
local skynet = require "skynet"
local socket = require "skynet.socket"

local command = {}

function command.open(port)
  return assert(socket.open("127.0.0.1", port))
end

function command.write(id, ...)
  return socket.write(id, table.concat { ... })
end

--- Sends each text as a packet, all in one write.
function command.send(id, ...)
  local packets = {}
  for i, text in ipairs { ... } do
    packets[i] = string.pack(">s2", text)
  end
  return socket.write(id, table.concat(packets))
end

--- Gives the next packet; false when the peer has closed.
function command.receive(id)
  local header = socket.read(id, 2)
  if not header then
    return false
  end
  local size = string.unpack(">I2", header)
  return size == 0 and "" or socket.read(id, size)
end

--- Reads so many bytes; gives how many came.
function command.skip(id, count)
  local data, rest = socket.read(id, count)
  return #(data or rest)
end

--- Waits until the peer has closed; gives what came before.
function command.rest(id)
  return (socket.readall(id))
end

function command.close(id)
  socket.close(id)
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name, id, ...)
    if name == "open" then
      local fd = command.open(id)
      skynet.retpack(fd)
    else
      skynet.retpack(command[name](id, ...))
    end
  end)
end)
