--- skynet.internal.websocket: what `http.websocket` and `websocket` have in common.

local skynet = require "skynet"
local core = require "skynet.websocket"

local common = {}

--- Kinds of events, as `skynet.websocket` numbers them.
common.TEXT, common.BINARY, common.PING, common.PONG, common.OPEN, common.CLOSED = 1, 2, 3, 4, 5, 6

--- Names of the kinds of messages.
common.KINDS = { "text", "binary" }

---@class websocket.limits what a connection may take; what is absent is as the config says
---@field max_frame? integer bytes of a frame of the peer
---@field max_message? integer bytes of a message of the peer
---@field max_write? integer bytes that may wait for the peer
---@field handshake_timeout? number seconds for the opening handshake
---@field close_timeout? number seconds for the answer to a close frame
---@field ping? number seconds of silence until the peer is pinged, 0 for never
---@field accept_unmasked? boolean takes frames without a mask, as genuine skynet's client sends them

local NUMBERS = { "max_frame", "max_message", "max_write", "handshake_timeout", "close_timeout", "ping" }

--- The limits in `options` as the list that `skynet.websocket` takes.
---@param options? table
---@param mask_outgoing? boolean
---@return table
function common.limits(options, mask_outgoing)
  local list = { false, false, false, false, false, false, false, mask_outgoing and true or false }
  if not options then
    return list
  end
  for place, name in ipairs(NUMBERS) do
    local value = options[name]
    if value ~= nil then
      if type(value) ~= "number" or not (value > 0 or value == 0 and name == "ping") then
        error(("websocket: the option %s is %s (a positive number expected)"):format(name, tostring(value)), 3)
      end
      list[place] = value
    end
  end
  if options.accept_unmasked ~= nil then
    list[7] = options.accept_unmasked and true or false
  end
  return list
end

--- Names and values of a head one behind the other, behind what `list` has already.
---@param list table
---@param header? table a value is a string or a list of them
---@return table
function common.flatten(list, header)
  for name, value in pairs(header or {}) do
    if type(value) == "table" then
      for _, one in ipairs(value) do
        list[#list + 1] = tostring(name)
        list[#list + 1] = tostring(one)
      end
    else
      list[#list + 1] = tostring(name)
      list[#list + 1] = tostring(value)
    end
  end
  return list
end

--- Begins the closing handshake. A code that must not be on the wire is replaced, which is logged.
---@param id integer
---@param connection userdata
---@param code? integer
---@param reason? string
function common.close(id, connection, code, reason)
  local ok, err = pcall(core.close, connection, code, reason)
  if not ok then
    skynet.error(("websocket %d: close code %s: %s; closed with 1000 instead"):format(id, tostring(code), err))
    core.close(connection, 1000, reason)
  end
end

return common
