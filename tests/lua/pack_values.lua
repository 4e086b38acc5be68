-- pack and unpack carry nil, booleans, both number kinds over their whole range, strings, pointers and tables.
local skynet = require "skynet"
require "skynet.manager"

local function same(a, b)
  return a == b and math.type(a) == math.type(b) and type(a) == type(b)
end

local function trip(what, ...)
  local sent = table.pack(...)
  local got = table.pack(skynet.unpack(skynet.packstring(...)))
  local equal = sent.n == got.n
  for i = 1, sent.n do
    equal = equal and same(sent[i], got[i])
  end
  print(what, got.n, equal)
end

skynet.start(function()
  trip("nothing")
  trip("nils", nil, nil, nil)
  trip("booleans", true, false)
  trip("zero", 0, 0.0, -0.0)
  for _, n in ipairs { 1, 255, 256, 65535, 65536, 2 ^ 31 - 1 | 0, 2 ^ 31 | 0, 2 ^ 32 | 0, math.maxinteger } do
    trip(("integer %d"):format(n), n, -n, -n - 1)
  end
  trip("mininteger", math.mininteger)
  trip("floats", 1.0, 1.5, -1e308, 1e-320, math.huge, -math.huge, 2 ^ 53)
  local nan = skynet.unpack(skynet.packstring(0 / 0))
  print("nan", nan ~= nan)
  for _, length in ipairs { 0, 1, 31, 32, 65535, 65536, 1000000 } do
    trip("string " .. length, ("z"):rep(length), "end")
  end
  trip("binary", "\0\1\255\0")

  local pointer = skynet.pack(1)
  trip("pointer", pointer)
  skynet.trash(pointer, 2)

  local many = {}
  for i = 1, 1000 do
    many[i] = i
  end
  trip("a thousand values", table.unpack(many))
  print(1 / skynet.unpack(skynet.packstring(-0.0)) == -math.huge)

  -- Pointer and size instead of a string.
  local message, size = skynet.pack("a", 1)
  print(type(message), size, skynet.unpack(message, size))
  print(skynet.tostring(message, size) == skynet.packstring("a", 1))
  skynet.trash(message, size)
  skynet.abort()
end)
