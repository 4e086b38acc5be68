-- Helper: joins a multicast channel and remembers what it hears.
local skynet = require "skynet"
local multicast = require "skynet.multicast"

local channel
local got = {}
local command = {}

function command.subscribe(id)
  channel = multicast.new {
    channel = id,
    dispatch = function(self, _, ...)
      got[#got + 1] = (self.channel == id and "" or "wrong channel ") .. table.concat({ ... }, ",")
    end,
  }
  channel:subscribe()
  return true
end

function command.unsubscribe()
  channel:unsubscribe()
end

function command.publish(...)
  channel:publish(...)
end

function command.got()
  local list = table.concat(got, " ")
  got = {}
  return list
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name, ...)
    skynet.retpack(command[name](...))
  end)
end)
