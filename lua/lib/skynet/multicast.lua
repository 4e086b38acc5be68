--- skynet.multicast: channels that many services listen to.
---
--- Invariant: all who subscribe hear the publications of a channel in the same order; one copy of
--- the bytes serves all of them.
--- Not here: who subscribes to what (service/multicastd.lua), sharing the bytes (native).

local skynet = require "skynet"
local core = require "skynet.multicast.core"

---@type integer
local multicastd

local multicast = {}

---@class skynet.multicast.channel
---@field channel integer? nil once it is deleted
---@field package subscribed boolean?
---@field package pack fun(...): skynet.message, integer?
---@field package unpack fun(message: lightuserdata, size: integer): ...
---@field package dispatch fun(self: skynet.multicast.channel, source: integer, ...)?
local channel = {}
channel.__index = channel

--- Subscribed objects by channel. The object is held weakly: when nobody has it any more, nobody
--- listens.
---@type table<integer, skynet.multicast.channel>
local listening = setmetatable({}, { __mode = "v" })

local function number_of(self)
  return self.channel or error("multicast: the channel is deleted", 3)
end

--- Sends to everybody who has subscribed. **Yields** until it is on its way. Raises when the channel
--- is deleted.
---@param ... any
function channel:publish(...)
  local number = number_of(self)
  skynet.rawcall(multicastd, "multicast", core.publication(number, 0, self.pack(...)))
end

--- Begins to listen. **Yields.**
function channel:subscribe()
  local number = number_of(self)
  if self.subscribed then
    return
  end
  self.subscribed = true
  listening[number] = self
  skynet.call(multicastd, "lua", "SUB", number)
end

--- Ends listening.
function channel:unsubscribe()
  if self.subscribed then
    self.subscribed = nil
    listening[self.channel] = nil
    skynet.send(multicastd, "lua", "USUB", self.channel)
  end
end

--- Ends the channel, for everybody.
function channel:delete()
  local number = number_of(self)
  self.channel, self.subscribed, listening[number] = nil, nil, nil
  skynet.send(multicastd, "lua", "DEL", number)
end

function channel:__tostring()
  return ("[Multicast:%x]"):format(self.channel or 0)
end

channel.__gc = channel.unsubscribe

--- A channel object: of the channel with a number, or of a new one. **Yields** for a new one.
---@param conf? { channel?: integer, pack?: function, unpack?: function, dispatch?: fun(self: skynet.multicast.channel, source: integer, ...) }
---@return skynet.multicast.channel
function multicast.new(conf)
  assert(multicastd, "Init first")
  conf = conf or {}
  local number = conf.channel
  if number and math.type(number) ~= "integer" then
    error(("multicast: number of a channel expected, got %s"):format(number), 2)
  end
  number = number or skynet.call(multicastd, "lua", "NEW")
  return setmetatable({
    channel = number,
    pack = conf.pack or skynet.pack,
    unpack = conf.unpack or skynet.unpack,
    dispatch = conf.dispatch,
  }, channel)
end

skynet.register_protocol {
  name = "multicast",
  id = skynet.PTYPE_MULTICAST,
  unpack = function(message, size)
    return message, size
  end,
  dispatch = function(number, source, message, size)
    skynet.ignoreret() -- the session is the channel
    local self = listening[number]
    if self and self.dispatch then
      self.dispatch(self, source, self.unpack(message, size))
    end
  end,
}

skynet.init(function()
  multicastd = skynet.uniqueservice "multicastd"
end)

return multicast
