--- Packets between cmaster and cslave: a length of one byte, then packed values.
---
--- Invariant: nothing longer than 255 bytes is sent, and bytes that are no values are an error.
--- Not here: what they mean (service/cmaster.lua, service/cslave.lua).

local skynet = require "skynet"
local socket = require "skynet.socket"

local packet = {}

local LONGEST = 255

--- Raised by `read` when the connection is closed.
packet.CLOSED = "closed"

--- Raises when the values do not fit.
---@param ... any
---@return string
function packet.make(...)
  local text = skynet.packstring(...)
  if #text > LONGEST then
    error(("packet of %d bytes is too long (limit %d)"):format(#text, LONGEST), 2)
  end
  return string.char(#text) .. text
end

--- The values of the next packet. **Yields.**
---@param fd integer
---@return any ...
function packet.read(fd)
  local length = socket.read(fd, 1)
  local text = length and socket.read(fd, length:byte())
  if not text then
    error(packet.CLOSED, 0)
  end
  return skynet.unpack(text)
end

return packet
