-- Cases of bson: every kind of value, by itself, so that no order of keys matters.
local bson = require "bson"

local cases = {}

local function add(name, make)
  cases[#cases + 1] = { name, make }
end

local function encoded(name, value)
  add("encode " .. name, function() return tostring(bson.encode { v = value }) end)
  add("again " .. name, function()
    return tostring(bson.encode(bson.decode(bson.encode { v = value })))
  end)
end

add("empty", function() return tostring(bson.encode {}) end)
for _, i in ipairs { 0, 1, -1, 2147483647, 2147483648, -2147483648, -2147483649, math.maxinteger, math.mininteger } do
  encoded("integer " .. i, i)
end
for _, f in ipairs { 0.0, -0.0, 1.0, 0.1, -1e300, 1 / 0, 3.0 } do
  encoded("float " .. f, f)
end
for _, text in ipairs { "", "a", "\0", "text", "zero\0inside", "\u{fc}ber", "\u{6f22}\u{5b57}", "\u{10ffff}", ("long "):rep(100) } do
  encoded("text " .. #text, text)
end
encoded("true", true)
encoded("false", false)
encoded("null", bson.null)
encoded("minkey", bson.minkey)
encoded("maxkey", bson.maxkey)
encoded("date", bson.date(1234567890))
encoded("date of zero", bson.date(0))
encoded("timestamp", bson.timestamp(1234567890, 7))
encoded("binary", bson.binary "\0\1\2bytes")
encoded("empty binary", bson.binary "")
encoded("objectid", bson.objectid "0123456789abcdefABCDEF99")
encoded("regex", bson.regex("^a.*b$", "im"))
encoded("regex without options", bson.regex "x")
encoded("list", { 1, "two", 3.5, true })
encoded("list of lists", { { 1 }, { 2, { 3 } } })
encoded("empty table", {})
encoded("table", { inner = { deeper = "x" } })
encoded("with __len", setmetatable({}, { __len = function() return 3 end, __index = function(_, i) return i * 2 end }))
add("encode with __pairs", function() return tostring(bson.encode { v = setmetatable({}, {
  __pairs = function()
    return function(_, key)
      if not key then
        return "a", 1
      elseif key == "a" then
        return "b", "2"
      end
    end
  end,
}) }) end)
encoded("document", bson.encode { nested = "document" })
local long = {}
for i = 1, 1234 do
  long[i] = i % 3 == 0 and "x" or i
end
encoded("long list", long)

add("order", function() return tostring(bson.encode_order("z", 1, "a", "two", "m", { 3 })) end)
add("order with a number as key", function() return tostring(bson.encode_order(1, "one")) end)

local function raw(name, value)
  add("raw " .. name, function() return value() end)
end
raw("date", function() return bson.date(77) end)
raw("timestamp", function() return bson.timestamp(77, 5) end)
raw("regex", function() return bson.regex("a", "b") end)
raw("binary", function() return bson.binary "x" end)
raw("objectid", function() return bson.objectid "00112233445566778899aabb" end)

local function replaced(name, before, after)
  add("replace " .. name, function()
    local document = bson.encode { v = before }
    document:makeindex()
    document.v = after
    return tostring(document)
  end)
end
replaced("integer", 1, 77)
replaced("wide integer", 1 << 40, 1)
replaced("float", 1.5, 2.5)
replaced("float by integer", 1.5, 2)
replaced("boolean", true, false)
replaced("date", bson.date(1), bson.date(2))
replaced("timestamp", bson.timestamp(1, 2), bson.timestamp(3, 4))
replaced("objectid", bson.objectid "0123456789abcdef01234567", bson.objectid "76543210fedcba9876543210")
replaced("text", "a", "b")
replaced("integer by float", 1, 1.5)
replaced("wide integer by text", 1 << 40, "x")
replaced("date by text", bson.date(1), "x")

add("replace without index", function()
  local document = bson.encode { v = 1 }
  document.v = 2
end)

add("key is a number", function() return bson.encode { 1, 2 } end)
add("key is a boolean", function() return bson.encode { [true] = 1 } end)
add("hole", function() return bson.encode { v = setmetatable({}, { __len = function() return 2 end }) } end)
add("function", function() return bson.encode { v = print } end)
add("thread", function() return bson.encode { v = coroutine.create(print) } end)
add("no integer from __len", function() return bson.encode { v = setmetatable({}, { __len = function() return "x" end }) } end)
add("circle", function()
  local t = {}
  t.t = t
  return bson.encode(t)
end)
local function nested(depth)
  local t = {}
  for _ = 1, depth do
    t = { t = t }
  end
  return t
end
add("deepest", function() return tostring(bson.encode(nested(128))) end)
add("too deep", function() return tostring(bson.encode(nested(129))) end)
for i, text in ipairs { "\x80", "\xc0\x80", "\xe0\x80\x80", "\xff", "\xc3", "ab\xe6\xbc", "\xf5\x80\x80\x80", "\xf4\x90\x80\x80" } do
  add("no utf8 " .. i, function() return bson.encode { v = text } end)
  add("no utf8 as key " .. i, function() return bson.encode { [text] = 1 } end)
end
add("surrogate", function() return tostring(bson.encode { v = "\xed\xa0\x80" }) end)
add("odd order", function() return bson.encode_order("a") end)
add("order without key", function() return bson.encode_order("a", 1, true, 2) end)
add("order without value", function() return bson.encode_order("a", nil) end)
add("bad objectid", function() return bson.objectid "123" end)
add("bad subtype", function() return bson.encode { v = "\0\1" } end)
add("bad date", function() return bson.encode { v = "\0\9abc" } end)
add("bad timestamp", function() return bson.encode { v = "\0\17abc" } end)
add("no table", function() return bson.encode(1) end)

return cases
