--- Sproto: structures of a schema as bytes, and requests and responses between two sides.
local core = require "sproto.core"
local internal = require "skynet.sproto"
local parser = require "sprotoparser"

local encode, decode = core.encode, core.decode
local unpack = core.unpack
local decode_from, frame = internal.decode_from, internal.frame

---@class sproto
---@field __cobj lightuserdata the schema
---@field __types table<string, lightuserdata> types that were asked for
---@field __protocols table<string|integer, sproto.protocol> protocols that were asked for
local sproto = { pack = core.pack, unpack = unpack }

---@class sproto.protocol
---@field name string
---@field tag integer
---@field request? lightuserdata
---@field response? lightuserdata a null pointer: there is one, without content

---@class sproto.host
---@field __proto sproto
---@field __package lightuserdata the type of the header
---@field __session table<integer, lightuserdata|true> types of the responses that are waited for
local host = {}

local shared_meta = { __index = sproto }
local own_meta = {
  __index = sproto,
  __gc = function(self)
    core.deleteproto(self.__cobj)
  end,
}
local host_meta = { __index = host }

local function make(schema, meta)
  return setmetatable({ __cobj = schema, __types = {}, __protocols = {} }, meta)
end

--- The schema of a bundle; it goes when the object does.
---@param bundle string
---@return sproto
function sproto.new(bundle)
  return make(assert(core.newproto(bundle)), own_meta)
end

--- A schema that belongs to somebody else.
---@param schema lightuserdata
---@return sproto
function sproto.sharenew(schema)
  return make(schema, shared_meta)
end

--- The schema of a text.
---@param text string
---@return sproto
function sproto.parse(text)
  return sproto.new(parser.parse(text))
end

-- Looks a type up that has not been asked for yet.
local function find_type(self, name)
  local found = core.querytype(self.__cobj, name)
  if not found then
    error("type not found", 0)
  end
  self.__types[name] = found
  return found
end

---@param key string|integer name or number
---@return sproto.protocol
function sproto:queryproto(key)
  local found = self.__protocols[key]
  if not found then
    local other, request, response = core.protocol(self.__cobj, key)
    if not other then
      error(key .. " not found", 0)
    end
    local name, tag = key, other
    if type(key) == "number" then
      name, tag = other, math.tointeger(key)
    end
    found = { name = name, tag = tag, request = request, response = response }
    self.__protocols[name] = found
    self.__protocols[tag] = found
  end
  return found
end

local protocol_of = sproto.queryproto

---@param name string
---@return boolean
function sproto:exist_type(name)
  return self.__types[name] ~= nil or core.querytype(self.__cobj, name) ~= nil
end

---@param key string|integer
---@return boolean
function sproto:exist_proto(key)
  return self.__protocols[key] ~= nil or core.protocol(self.__cobj, key) ~= nil
end

--- The bytes of a structure.
---@param name string
---@param value table
---@return string
function sproto:encode(name, value)
  return encode(self.__types[name] or find_type(self, name), value)
end

--- The structure in bytes, and how many of them it takes.
---@param name string
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table, integer
function sproto:decode(name, ...)
  return decode(self.__types[name] or find_type(self, name), ...)
end

--- The bytes of a structure, packed.
---@param name string
---@param value table
---@return string
function sproto:pencode(name, value)
  return frame(nil, nil, self.__types[name] or find_type(self, name), value)
end

--- The structure in packed bytes.
---@param name string
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table, integer
function sproto:pdecode(name, ...)
  return decode(self.__types[name] or find_type(self, name), unpack(...))
end

---@param key string|integer
---@param value? table
---@return string bytes
---@return integer tag
function sproto:request_encode(key, value)
  local protocol = self.__protocols[key] or protocol_of(self, key)
  local request = protocol.request
  return request and encode(request, value) or "", protocol.tag
end

---@param key string|integer
---@param value? table
---@return string
function sproto:response_encode(key, value)
  local response = (self.__protocols[key] or protocol_of(self, key)).response
  return response and encode(response, value) or ""
end

---@param key string|integer
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table? value
---@return string name
function sproto:request_decode(key, ...)
  local protocol = self.__protocols[key] or protocol_of(self, key)
  local request = protocol.request
  if request then
    return decode(request, ...), protocol.name
  end
  return nil, protocol.name
end

---@param key string|integer
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table?, integer?
function sproto:response_decode(key, ...)
  local response = (self.__protocols[key] or protocol_of(self, key)).response
  if response then
    return decode(response, ...)
  end
end

--- What each field of a type is when it is not given; of a protocol, when `part` is named.
---@param name string
---@param part? "REQUEST"|"RESPONSE"
---@return table?
function sproto:default(name, part)
  if part == nil then
    return core.default(self.__types[name] or find_type(self, name))
  end
  local protocol = protocol_of(self, name)
  local wanted
  if part == "REQUEST" then
    wanted = protocol.request
  elseif part == "RESPONSE" then
    wanted = protocol.response
  else
    error("Invalid type", 2)
  end
  if wanted then
    return core.default(wanted)
  end
end

--- One side of a connection. `packagename` is the type of the header, `package` by default.
---@param packagename? string
---@return sproto.host
function sproto:host(packagename)
  local package = core.querytype(self.__cobj, packagename or "package")
  if not package then
    error("type package not found", 0)
  end
  return setmetatable({ __proto = self, __package = package, __session = {} }, host_meta)
end

-- The one header that is in use at a time: nothing that may call back runs while it is.
local header = {}

--- A function that makes the response to a request.
local function responder(package, response, session)
  return function(value, ud)
    header.type, header.session, header.ud = nil, session, ud
    return frame(package, header, response, value)
  end
end

--- What the other side has sent: `"REQUEST", name, value, response?, ud` where `response(value, ud)`
--- gives the bytes to answer with, or `"RESPONSE", session, value, ud`.
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return "REQUEST"|"RESPONSE" kind
---@return any ...
function host:dispatch(...)
  local bytes = unpack(...)
  header.type, header.session, header.ud = nil, nil, nil
  local _, size = decode(self.__package, bytes, header)
  local tag, session, ud = header.type, header.session, header.ud
  if tag then
    local proto = self.__proto
    local protocol = proto.__protocols[tag] or protocol_of(proto, tag)
    local request = protocol.request
    local value = request and decode_from(request, bytes, size) or nil
    local response = session and responder(self.__package, protocol.response, session) or nil
    return "REQUEST", protocol.name, value, response, ud
  end
  if not session then
    error("session not found", 0)
  end
  local response = self.__session[session]
  if not response then
    error("Unknown session", 0)
  end
  self.__session[session] = nil
  if response == true then
    return "RESPONSE", session, nil, ud
  end
  return "RESPONSE", session, (decode_from(response, bytes, size)), ud
end

--- A function that makes requests to the other side, whose protocols are those of `sp`:
--- `(name, value, session, ud)` gives the bytes to send.
---@param sp sproto
---@return fun(name: string, value?: table, session?: integer, ud?: any): string
function host:attach(sp)
  local package, sessions, protocols = self.__package, self.__session, sp.__protocols
  return function(name, value, session, ud)
    local protocol = protocols[name] or protocol_of(sp, name)
    if session then
      sessions[session] = protocol.response or true
    end
    header.type, header.session, header.ud = protocol.tag, session, ud
    return frame(package, header, protocol.request, value)
  end
end

return sproto
