-- Cases of md5: lengths around blocks, keys and seeds of all lengths.
local md5 = require "md5"

local cases = {}

local function add(name, make)
  cases[#cases + 1] = { name, make }
end

local function bytes(length, first)
  local list = {}
  for at = 1, length do
    list[at] = string.char((first + at * 7) % 256)
  end
  return table.concat(list)
end

for _, length in ipairs { 0, 1, 3, 15, 16, 17, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000 } do
  local text, key = bytes(length, 3), bytes(length % 200, 5)
  local seed = bytes(length % 17, 9)
  add("sum " .. length, function() return md5.sum(text) end)
  add("sumhexa " .. length, function() return md5.sumhexa(text) end)
  add("hmacmd5 " .. length, function() return md5.hmacmd5(text, key) end)
  add("exor " .. length, function() return md5.exor(text, bytes(length, 77)) end)
  add("crypt " .. length, function() return md5.crypt(text, key, seed) end)
  add("decrypt " .. length, function() return md5.decrypt(md5.crypt(text, key, seed), key) end)
end

add("wrong key", function() return md5.decrypt(md5.crypt("a text", "a key", "a seed"), "no key") end)
add("lengths differ", function() return md5.exor("a", "ab") end)
add("long key", function() return md5.crypt("", ("k"):rep(257)) end)
add("long seed", function() return md5.crypt("", "k", ("s"):rep(17)) end)
add("no seed", function() return md5.decrypt("\5seed", "k") end)

return cases
