--- skynet.cluster.core: the frames between nodes, for scripts that speak with nodes by themselves.
---
--- Invariant: what `pack...` makes is what a node writes, with its length in front; `unpack...` takes
--- a frame without that length. A pointer that is packed is freed, one that is unpacked belongs to
--- the caller.
--- Not here: the cluster of this node, which is native (docs/wire.md has the format).

local skynet = require "skynet"
local driver = require "skynet.socketdriver"

local core = {}

--- Most bytes of a message in one piece.
local PART = 0x8000
local LAST_SESSION = 0x7fffffff

local SINGLE, MULTI, MIDDLE, LAST, TRACE = 0x00, 0x01, 0x02, 0x03, 0x04
--- Added to the type for a name instead of a number, and for a message without an answer.
local BY_NAME, PUSH = 0x80, 0x40

local SUCCESS, FAILURE = 1, 0
local ANSWER_MULTI, ANSWER_MIDDLE, ANSWER_LAST = 2, 3, 4

local function framed(...)
  return (">s2"):pack(table.concat { ... })
end

--- The parts of a large message, each headed by what `head` gives for it.
local function parts_of(message, head)
  local frames = {}
  for from = 1, #message, PART do
    local part = message:sub(from, from + PART - 1)
    frames[#frames + 1] = framed(head(from + PART > #message), part)
  end
  return frames
end

--- Takes over a message.
local function taken(message, size)
  if message == nil then
    error("Invalid request message", 3)
  end
  local text = skynet.tostring(message, size)
  skynet.trash(message, size)
  return text
end

--- What stands for the address: bit of the type, and bytes.
local function address_bytes(address)
  if type(address) == "number" then
    return 0, ("<I4"):pack(address)
  elseif type(address) ~= "string" then
    error(("name is not a string, it's a %s"):format(type(address)), 3)
  elseif #address < 1 or #address > 255 then
    error(("name is too long %s"):format(address), 3)
  end
  return BY_NAME, ("s1"):pack(address)
end

local function pack(push, address, session, message, size)
  local text = taken(message, size)
  if session <= 0 or session > LAST_SESSION then
    error(("Invalid request session %d"):format(session), 3)
  end
  local name, where = address_bytes(address)
  local next_session = session < LAST_SESSION and session + 1 or 1
  if #text < PART then
    local shown = push and 0 or session
    local frame = framed(string.char(SINGLE | name), where, ("<I4"):pack(shown), text)
    return frame, next_session
  end
  local kind = MULTI | name | (push and PUSH or 0)
  local head = framed(string.char(kind), where, ("<I4I4"):pack(session, #text))
  return head, next_session, parts_of(text, function(last)
    return ("<BI4"):pack(last and LAST or MIDDLE, session)
  end)
end

--- A request: its frame, the session of the next one, and of a large one the frames of its parts.
---@param address integer|string
---@param session integer
---@param message lightuserdata|string is freed
---@param size? integer
---@return string frame
---@return integer next_session
---@return string[]? parts
function core.packrequest(address, session, message, size)
  return pack(false, address, session, message, size)
end

--- As `packrequest`, of a message that wants no answer.
---@param address integer|string
---@param session integer
---@param message lightuserdata|string is freed
---@param size? integer
---@return string frame
---@return integer next_session
---@return string[]? parts
function core.packpush(address, session, message, size)
  return pack(true, address, session, message, size)
end

--- The trace tag of the request behind it.
---@param tag string
---@return string frame
function core.packtrace(tag)
  if #tag > PART then
    error(("trace tag is too long : %d"):format(#tag), 2)
  end
  return framed(string.char(TRACE), tag)
end

--- A block of the caller's.
local function block(text)
  return driver.str2p(text)
end

local function check(whole, enough)
  if not enough then
    error(("Invalid cluster message (size=%d)"):format(#whole), 3)
  end
end

--- The parts of a request without its length: address, session, block and size; of a push also nil
--- and true. For the head of a large one: address, session, nil, size of all, true, and whether it is
--- a push; for a part false, session, block, size, and whether more follow; for a trace the tag.
---@param message string|lightuserdata
---@param size? integer
---@return integer|string|false address
---@return integer? session
---@return lightuserdata? block
---@return integer? bytes
---@return boolean? padding
---@return boolean? push
function core.unpackrequest(message, size)
  local text = type(message) == "string" and message or skynet.tostring(message, size)
  if #text == 0 then
    error("Invalid req package. size == 0", 2)
  end
  local kind = text:byte()
  if kind == TRACE then
    return text:sub(2)
  elseif kind == MIDDLE or kind == LAST then
    if #text < 5 then
      error("Invalid cluster multi part message", 2)
    end
    local part, bytes = block(text:sub(6))
    return false, (("<I4"):unpack(text, 2)), part, bytes, kind == MIDDLE
  end

  local plain = kind & ~(BY_NAME | PUSH)
  if plain > MULTI or plain == SINGLE and kind & PUSH ~= 0 then
    error(("Invalid req package type %d"):format(kind < 0x80 and kind or kind - 0x100), 2)
  end
  local address, at
  if kind & BY_NAME ~= 0 then
    check(text, #text >= 2 and #text >= 6 + text:byte(2))
    address, at = ("s1"):unpack(text, 2)
  else
    check(text, #text >= 9)
    address, at = ("<I4"):unpack(text, 2)
  end
  local session, from = ("<I4"):unpack(text, at)
  if plain == MULTI then
    check(text, #text >= from + 3)
    return address, session, nil, (("<I4"):unpack(text, from)), true, kind & PUSH ~= 0
  end
  local body, bytes = block(text:sub(from))
  if session == 0 then
    return address, 0, body, bytes, nil, true
  end
  return address, session, body, bytes
end

--- An answer: its frame, or the frames of a large one. A pointer is not freed.
---@param session integer
---@param ok boolean
---@param message string|lightuserdata the error text when not `ok`
---@param size? integer
---@return string|string[]
function core.packresponse(session, ok, message, size)
  local text = type(message) == "string" and message or skynet.tostring(message, size) or ""
  if not ok then
    return framed(("<I4B"):pack(session, FAILURE), text:sub(1, PART))
  elseif #text <= PART then
    return framed(("<I4B"):pack(session, SUCCESS), text)
  end
  local frames = parts_of(text, function(last)
    return ("<I4B"):pack(session, last and ANSWER_LAST or ANSWER_MIDDLE)
  end)
  table.insert(frames, 1, framed(("<I4BI4"):pack(session, ANSWER_MULTI, #text)))
  return frames
end

--- The parts of an answer without its length; nothing when it is none.
---@param text string
---@return integer? session
---@return boolean? ok
---@return string|integer|nil data size of all for the head of a large one
---@return boolean? padding more follows
function core.unpackresponse(text)
  if #text < 5 then
    return
  end
  local session, code = ("<I4B"):unpack(text)
  local data = text:sub(6)
  if code == FAILURE or code == SUCCESS or code == ANSWER_LAST then
    return session, code ~= FAILURE, data
  elseif code == ANSWER_MIDDLE then
    return session, true, data, true
  elseif code == ANSWER_MULTI and #data >= 4 then
    return session, true, (("<I4"):unpack(data)), true
  end
end

--- Adds a part to a list; the first call gives the size of all, without a block.
---@param list table
---@param message lightuserdata? is freed
---@param size integer
function core.append(list, message, size)
  if message == nil then
    list[#list + 1] = size
    return
  end
  list[#list + 1] = skynet.tostring(message, size)
  skynet.trash(message, size)
end

--- A block of all parts of a list; nothing when they are not as long as was said.
---@param list table
---@return lightuserdata? block
---@return integer? size
function core.concat(list)
  local text = table.concat(list, "", 2)
  if #text == list[1] then
    return block(text)
  end
end

--- True for a name that another node has registered.
---@param name string
---@return true?
function core.isname(name)
  if type(name) == "string" and name:byte() == 64 then -- '@'
    return true
  end
end

--- What tells this node from others in traces.
---@return string
function core.nodename()
  return require("skynet.cluster.network").nodename()
end

return core
