-- Bad input for every decoder: cut off, random, too deep, too large; and handles of nothing.
-- sandbox: message_time = "20s"
-- expect: 0 have escaped
-- expect: decode error
-- expect: The table is too deep
-- expect: object is too large
-- expect: Too depth while decoding bson
-- expect: no sproto object of this node
-- expect: not a document of this service
-- expect: bson document is too large
-- expect: types too deep inside each other
-- expect: bytes at [=text] is too large
local skynet = require "skynet"
local bson = require "bson"
local core = require "sproto.core"
local crypt = require "skynet.crypt"
local md5 = require "md5"
local parser = require "sprotoparser"
local sproto = require "sproto"

local state = 7
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local function noise(length)
  local list = {}
  for at = 1, length do
    list[at] = string.char(random(4) == 0 and random(256) or random(5))
  end
  return table.concat(list)
end

--- `bytes` cut off somewhere, or with some of them changed.
local function spoilt(bytes)
  if random(2) == 0 then
    return bytes:sub(1, random(#bytes + 1))
  end
  for _ = 1, 1 + random(4) do
    local at = random(#bytes)
    bytes = bytes:sub(1, at) .. string.char(random(256)) .. bytes:sub(at + 2)
  end
  return bytes
end

local schema = [[
.Inner { id 0 : integer text 1 : string inner 2 : *Inner }
.All {
  i 0 : integer d 1 : integer(3) b 2 : boolean s 3 : string f 4 : double inner 5 : Inner
  ai 6 : *integer ab 7 : *boolean as 8 : *string af 9 : *double an 10 : *Inner
  by 11 : *Inner(id) map 12 : *Pair()
}
.Pair { key 0 : string value 1 : Inner }
]]

skynet.start(function()
  local escaped = 0
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    if ok then
      escaped = escaped + 1
    else
      skynet.error(why)
    end
    return ok
  end

  local bundle = parser.parse(schema)
  local all = sproto.new(bundle)
  local value = {
    i = 1 << 40, d = 1.5, b = true, s = "text", f = 0.1, inner = { id = 1, inner = { { id = 2 } } },
    ai = { 1, 2, 3 }, ab = { true }, as = { "a", "" }, af = { 1.5 }, an = { { id = 3 }, {} },
    by = { [4] = { id = 4 } }, map = { k = { text = "v" } },
  }
  local structure = all:encode("All", value)
  local packed = core.pack(structure)
  local document = tostring(bson.encode {
    list = { 1, "two", { three = 3.5 } }, id = bson.objectid(), null = bson.null, re = bson.regex("a", "b"),
    date = bson.date(1), time = bson.timestamp(2, 3), bytes = bson.binary "abc", wide = 1 << 40, yes = true,
  })
  for _ = 1, 1000 do
    pcall(all.decode, all, "All", spoilt(structure))
    pcall(all.decode, all, "All", noise(random(60)))
    pcall(core.unpack, spoilt(packed))
    pcall(core.unpack, noise(random(60)))
    pcall(core.newproto, spoilt(bundle))
    pcall(core.newproto, noise(random(60)))
    pcall(parser.parse, spoilt(schema))
    pcall(bson.decode, spoilt(document))
    pcall(bson.decode, noise(random(60)))
    pcall(bson.type, "\0" .. noise(random(20)))
    pcall(bson.encode, { v = "\0" .. noise(random(20)) })
    pcall(crypt.base64decode, noise(random(60)))
    pcall(crypt.hexdecode, noise(random(60)))
    pcall(crypt.desdecode, "12345678", noise(8 * random(4)))
    pcall(md5.decrypt, noise(random(60)), "key")
    collectgarbage "step"
  end

  -- Cut off everywhere.
  for length = 0, #structure - 1 do
    local ok, _, used = pcall(all.decode, all, "All", structure:sub(1, length))
    assert(not ok or used <= length)
  end
  for length = 0, #document - 1 do
    try(bson.decode, document:sub(1, length))
  end
  try(all.decode, all, "All", "\1\0\0\0\255\255\255\255")

  -- Too deep.
  local deep = ""
  for _ = 1, 100 do
    deep = "\3\0\3\0\0\0" .. string.pack("<s4", #deep > 0 and string.pack("<s4", deep) or "")
  end
  try(all.decode, all, "Inner", deep)
  local circle = {}
  circle.inner = { circle }
  try(all.encode, all, "Inner", circle)
  local documents = "\5\0\0\0\0"
  for _ = 1, 300 do
    documents = string.pack("<I4", #documents + 8) .. "\3a\0" .. documents .. "\0"
  end
  try(bson.decode, documents)
  try(parser.parse, (".a{"):rep(1000))
  try(parser.parse, ("# \n"):rep(2 << 20))

  -- Too large: few bytes that stand for many, a few tables that stand for many.
  try(core.unpack, ("\0"):rep(1 << 22))
  local wide = ("x"):rep(1 << 16)
  for _ = 1, 40 do
    wide = { wide, wide }
  end
  try(bson.encode, { v = wide })
  local many = { text = ("x"):rep(1 << 16) }
  for _ = 1, 40 do
    many = { inner = { many, many } }
  end
  try(all.encode, all, "Inner", many)

  -- Handles and pointers of nothing.
  local pointer = skynet.unpack(string.pack("<I1I8", 3, 4096))
  try(core.encode, pointer, {})
  try(core.decode, pointer, "\0\0")
  try(core.querytype, pointer, "All")
  try(core.default, pointer)
  try(core.dumpproto, pointer)
  try(bson.decode, pointer)
  try(bson.encode, { v = pointer })
  try(bson.decode, io.stdout)
  local gone = core.newproto(bundle)
  local of_gone = core.querytype(gone, "All")
  core.deleteproto(gone)
  core.deleteproto(gone)
  try(core.encode, of_gone, {})
  try(core.protocol, gone, "x")

  -- A schema that is deleted while it is in use.
  local used = core.newproto(bundle)
  local of_used = core.querytype(used, "All")
  local deleting = setmetatable({}, {
    __index = function(_, key)
      if key == "s" then
        core.deleteproto(used)
        collectgarbage()
      end
      return value[key]
    end,
  })
  assert(core.encode(of_used, deleting) == structure)
  try(core.encode, of_used, {})
  local light = bson.to_lightuserdata(bson.encode { v = 1 })
  collectgarbage()
  collectgarbage()
  try(bson.decode, light)

  skynet.error(escaped .. " have escaped")
end)
