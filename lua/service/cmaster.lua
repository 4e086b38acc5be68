--- Service `cmaster`: knows the nodes of a network of harbors and its global names.
---
--- Invariant: an id belongs to one node for the life of the master, and a name to whoever took it
--- first. Every node hears of each other and of each name.
--- Not here: what a node makes of that (cslave.lua), messages between services (native).
---
--- Packets, a length of one byte and packed values: from a node `H id address`, `R name handle`,
--- `Q name`; to it `W n`, `C id address`, `N name handle`, `D id`.

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local packet = require "skynet.internal.harbor_packet"

---@class cmaster.node
---@field fd integer? nil once it is gone
---@field address string

---@type table<integer, cmaster.node>
local nodes = {}
---@type table<string, integer>
local names = {}

local function tell_all(...)
  local text = packet.make(...)
  for _, node in pairs(nodes) do
    if node.fd then
      socket.write(node.fd, text)
    end
  end
end

--- Takes the first packet of a node; its id. **Yields.** Raises when the node is refused.
local function introduce(fd)
  local kind, id, address = packet.read(fd)
  if kind ~= "H" then
    error(("Invalid handshake type %s"):format(kind), 0)
  elseif math.type(id) ~= "integer" or id < 1 or id > 255 then
    error(("Invalid slave id %s"):format(id), 0)
  elseif type(address) ~= "string" then
    error(("Invalid slave address %s"):format(address), 0)
  elseif nodes[id] then
    error(("Slave %d already register on %s"):format(id, nodes[id].address), 0)
  end
  local others = 0
  for _, node in pairs(nodes) do
    others = others + (node.fd and 1 or 0)
  end
  -- Those who are there connect to the new one, which waits for them.
  tell_all("C", id, address)
  nodes[id] = { fd = fd, address = address }
  socket.write(fd, packet.make("W", others))
  return id
end

local function serve(id, fd)
  while true do
    local kind, name, handle = packet.read(fd)
    if type(name) ~= "string" then
      error(("harbor %d: a name is a %s"):format(id, type(name)), 0)
    elseif kind == "R" then
      if math.type(handle) ~= "integer" then
        error(("harbor %d: the owner of '%s' is %s"):format(id, name, handle), 0)
      end
      names[name] = names[name] or handle
      tell_all("N", name, names[name])
    elseif kind == "Q" then
      if names[name] then
        socket.write(fd, packet.make("N", name, names[name]))
      end
    else
      skynet.error(("Invalid slave message type %s"):format(kind))
    end
  end
end

local function welcome(fd, peer)
  skynet.error(("connect from %s %d"):format(peer, fd))
  if not socket.start(fd) then
    return
  end
  local ok, id = pcall(introduce, fd)
  if not ok then
    skynet.error(("disconnect fd = %d, error = %s"):format(fd, id))
    socket.close(fd)
    return
  end
  skynet.error(("Harbor %d (fd=%d) report %s"):format(id, fd, nodes[id].address))
  local _, why = pcall(serve, id, fd)
  if why ~= packet.CLOSED then
    skynet.error(why)
  end
  skynet.error(("slave %d is down"):format(id))
  nodes[id].fd = nil
  tell_all("D", id)
  socket.close(fd)
end

skynet.start(function()
  local address = skynet.getenv "standalone"
  local listener, host, port = socket.listen(address)
  local bound = ("%s:%d"):format(host, port)
  skynet.error(("master listen socket %s"):format(bound))
  socket.start(listener, welcome)
  -- For the slave of this node, should the config leave the port open.
  skynet.dispatch("lua", function(_, _, command)
    skynet.retpack(command == "ADDRESS" and bound or nil)
  end)
  skynet.register ".cmaster"
end)
