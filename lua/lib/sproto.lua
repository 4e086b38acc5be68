--- Sproto: structures of a schema as bytes, and requests and responses between two sides.
local core = require "sproto.core"
local parser = require "sprotoparser"

local encode, decode = core.encode, core.decode
local pack, unpack = core.pack, core.unpack

---@class sproto
---@field __cobj lightuserdata the schema
---@field __types table<string, lightuserdata> types that were asked for
---@field __protocols table<string|integer, sproto.protocol> protocols that were asked for
local sproto = { pack = pack, unpack = unpack }

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

local function type_of(self, name)
  local found = self.__types[name]
  if not found then
    found = core.querytype(self.__cobj, name)
    if not found then
      error("type not found", 0)
    end
    self.__types[name] = found
  end
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
  return encode(type_of(self, name), value)
end

--- The structure in bytes, and how many of them it takes.
---@param name string
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table, integer
function sproto:decode(name, ...)
  return decode(type_of(self, name), ...)
end

--- The bytes of a structure, packed.
---@param name string
---@param value table
---@return string
function sproto:pencode(name, value)
  return pack(encode(type_of(self, name), value))
end

--- The structure in packed bytes.
---@param name string
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table, integer
function sproto:pdecode(name, ...)
  return decode(type_of(self, name), unpack(...))
end

---@param key string|integer
---@param value? table
---@return string bytes
---@return integer tag
function sproto:request_encode(key, value)
  local protocol = protocol_of(self, key)
  local request = protocol.request
  return request and encode(request, value) or "", protocol.tag
end

---@param key string|integer
---@param value? table
---@return string
function sproto:response_encode(key, value)
  local response = protocol_of(self, key).response
  return response and encode(response, value) or ""
end

---@param key string|integer
---@param ... string|lightuserdata|integer a string, or a pointer and its size
---@return table? value
---@return string name
function sproto:request_decode(key, ...)
  local protocol = protocol_of(self, key)
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
  local response = protocol_of(self, key).response
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
    return core.default(type_of(self, name))
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

local function header_of(package, tag, session, ud)
  header.type, header.session, header.ud = tag, session, ud
  return encode(package, header)
end

--- A function that makes the response to a request.
local function responder(package, response, session)
  return function(value, ud)
    local head = header_of(package, nil, session, ud)
    if response then
      return pack(head .. encode(response, value))
    end
    return pack(head)
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
  local content = bytes:sub(size + 1)
  if tag then
    local protocol = protocol_of(self.__proto, tag)
    local request = protocol.request
    local value = request and decode(request, content) or nil
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
  return "RESPONSE", session, (decode(response, content)), ud
end

--- A function that makes requests to the other side, whose protocols are those of `sp`:
--- `(name, value, session, ud)` gives the bytes to send.
---@param sp sproto
---@return fun(name: string, value?: table, session?: integer, ud?: any): string
function host:attach(sp)
  local package, sessions = self.__package, self.__session
  return function(name, value, session, ud)
    local protocol = protocol_of(sp, name)
    local head = header_of(package, protocol.tag, session, ud)
    if session then
      sessions[session] = protocol.response or true
    end
    if protocol.request then
      return pack(head .. encode(protocol.request, value))
    end
    return pack(head)
  end
end

return sproto
