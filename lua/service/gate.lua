--- Service `gate`: clients of one port, reported to a watchdog, their packets forwarded to agents.
---
--- Invariant: a packet goes to the client's agent if it has one, else to the watchdog as a string.
--- Not here: accepting and cutting into packets (lib/snax/gateserver.lua), what packets mean.

local skynet = require "skynet"
local gateserver = require "snax.gateserver"

---@class gate.client
---@field agent? integer|string gets the packets as messages of type "client"
---@field client? integer|string named as their source

---@type table<integer, gate.client>
local clients = {}
--- Who opened the gate, or whom its configuration names.
local watchdog

skynet.register_protocol {
  name = "client",
  id = skynet.PTYPE_CLIENT,
}

local function report(...)
  skynet.send(watchdog, "lua", "socket", ...)
end

local handler = {}

function handler.open(source, conf)
  watchdog = conf.watchdog or source
  return conf.address, conf.port
end

function handler.connect(fd, address)
  clients[fd] = {}
  report("open", fd, address)
end

function handler.message(fd, message, size)
  local client = clients[fd]
  if client.agent then
    skynet.redirect(client.agent, client.client, "client", fd, message, size)
  else
    report("data", fd, skynet.tostring(message, size))
    skynet.trash(message, size)
  end
end

function handler.disconnect(fd)
  clients[fd] = nil
  report("close", fd)
end

function handler.error(fd, text)
  clients[fd] = nil
  report("error", fd, text)
end

function handler.warning(fd, kilobytes)
  report("warning", fd, kilobytes)
end

local function client_of(fd)
  return clients[fd] or error(("gate: no client %s"):format(fd), 0)
end

local commands = {}

--- Gives the packets of `fd` to `agent`, or to whoever asks for it, and begins to read.
function commands.forward(source, fd, client, agent)
  local known = client_of(fd)
  known.agent, known.client = agent or source, client or 0
  gateserver.openclient(fd)
end

--- Gives the packets of `fd` to the watchdog, and begins to read.
function commands.accept(_, fd)
  local known = client_of(fd)
  known.agent, known.client = nil, nil
  gateserver.openclient(fd)
end

--- Closes the connection of a client.
function commands.kick(_, fd)
  gateserver.closeclient(fd)
end

function handler.command(name, source, ...)
  local command = commands[name] or error(("gate: unknown command '%s'"):format(name), 0)
  return command(source, ...)
end

gateserver.start(handler)
