--- Service `multicastd`: who listens to which channel, and the one place through which every
--- publication goes.
---
--- Invariant: a channel belongs to the node in its low 8 bits, whose multicastd puts its
--- publications in order. Other nodes know their own listeners alone, and pass on what the owner
--- sends them.
--- Not here: objects of scripts (lib/skynet/multicast.lua).

local skynet = require "skynet"
local core = require "skynet.multicast.core"
local datacenter = require "skynet.datacenter"

local own_harbor = skynet.harbor(skynet.self())

--- Listeners of each channel that is known here, and the nodes that listen to an own one.
---@class multicastd.channel
---@field listeners (integer|false)[]
---@field nodes table<integer, integer> multicastd by harbor id

---@type table<integer, multicastd.channel>
local channels = {}
local last = own_harbor

local function owner_of(number)
  return number & 0xff
end

local peers = {}

--- The multicastd of another node. **Yields.**
local function peer(harbor)
  peers[harbor] = peers[harbor] or datacenter.wait("multicast", harbor)
  return peers[harbor]
end

local function place_of(list, handle)
  for index, listener in ipairs(list) do
    if listener == handle then
      return index
    end
  end
end

local function compact(list)
  local kept = 0
  for index = 1, #list do
    local listener = list[index]
    list[index] = nil
    if listener then
      kept = kept + 1
      list[kept] = listener
    end
  end
end

local function known(number)
  return channels[number] or error(("multicast channel %x is deleted"):format(number), 0)
end

local commands = {}

function commands.NEW()
  repeat
    last = core.nextid(last)
  until last > 0xff and not channels[last]
  channels[last] = { listeners = {}, nodes = {} }
  return last
end

function commands.DEL(_, number)
  if owner_of(number) ~= own_harbor then
    channels[number] = nil
    skynet.send(peer(owner_of(number)), "lua", "DEL", number)
    return
  end
  local channel = channels[number]
  channels[number] = nil
  for _, other in pairs(channel and channel.nodes or {}) do
    skynet.send(other, "lua", "GONE", number)
  end
end

--- Another node's channel is no more.
function commands.GONE(_, number)
  channels[number] = nil
end

function commands.SUB(source, number)
  if owner_of(number) ~= own_harbor and not channels[number] then
    skynet.call(peer(owner_of(number)), "lua", "NODE", number)
    channels[number] = channels[number] or { listeners = {}, nodes = {} }
  end
  local listeners = known(number).listeners
  if not place_of(listeners, source) then
    listeners[#listeners + 1] = source
  end
end

function commands.USUB(source, number)
  local channel = channels[number]
  local place = channel and place_of(channel.listeners, source)
  if place then
    table.remove(channel.listeners, place)
    if #channel.listeners == 0 and owner_of(number) ~= own_harbor then
      channels[number] = nil
      skynet.send(peer(owner_of(number)), "lua", "NODE_LEAVES", number)
    end
  end
end

--- The multicastd of another node has listeners.
function commands.NODE(source, number)
  known(number).nodes[skynet.harbor(source)] = source
end

function commands.NODE_LEAVES(source, number)
  local channel = channels[number]
  if channel then
    channel.nodes[skynet.harbor(source)] = nil
  end
end

--- Gives a publication to the listeners of this node.
local function deliver(channel, publisher, message, size)
  if core.deliver(publisher, channel.listeners, message, size) > 0 then
    compact(channel.listeners)
  end
end

skynet.register_protocol {
  name = "multicast",
  id = skynet.PTYPE_MULTICAST,
  unpack = function(message, size)
    return message, size
  end,
  dispatch = function(session, source, message, size)
    local number, publisher = core.deliver(source, nil, message, size)
    if owner_of(number) ~= own_harbor then
      if publisher == 0 then
        -- To the owner, whose turn it is to give it to everybody.
        local text = skynet.tostring(message, size)
        local body = text:sub(9)
        skynet.rawcall(peer(owner_of(number)), "multicast", core.publication(number, source, body))
        skynet.ret()
      elseif channels[number] then
        deliver(channels[number], publisher, message, size)
      end
      return
    end
    local channel = known(number)
    if publisher == 0 then
      publisher = source
    end
    deliver(channel, publisher, message, size)
    if next(channel.nodes) then
      local body = skynet.tostring(message, size):sub(9)
      for _, other in pairs(channel.nodes) do
        skynet.rawsend(other, "multicast", core.publication(number, publisher, body))
      end
    end
    if session ~= 0 then
      skynet.ret()
    end
  end,
}

skynet.start(function()
  skynet.dispatch("lua", function(session, source, command, ...)
    local handler = commands[command] or error(("multicastd: unknown command %s"):format(command), 0)
    local result = handler(source, ...)
    if session ~= 0 then
      skynet.retpack(result)
    end
  end)
  if own_harbor ~= 0 then
    datacenter.set("multicast", own_harbor, skynet.self())
  end
end)
