-- Cases of skynet.crypt: every function, lengths around blocks, all byte values.
local crypt = require "skynet.crypt"

local cases = {}

local function add(name, make)
  cases[#cases + 1] = { name, make }
end

-- The same bytes on every machine.
local state = 12345
local function random()
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return state >> 16 & 255
end

local function bytes(length)
  local list = {}
  for at = 1, length do
    list[at] = string.char(random())
  end
  return table.concat(list)
end

local lengths = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 31, 32, 33, 47, 48, 63, 64, 65, 100, 255, 256, 257, 1000, 3001 }

for _, length in ipairs(lengths) do
  local text, key, other = bytes(length), bytes(8), bytes(8)
  local secret = bytes(length % 90)
  add("hashkey " .. length, function() return crypt.hashkey(text) end)
  add("hexencode " .. length, function() return crypt.hexencode(text) end)
  add("hexdecode " .. length, function() return crypt.hexdecode(crypt.hexencode(text)) end)
  add("base64encode " .. length, function() return crypt.base64encode(text) end)
  add("base64decode " .. length, function() return crypt.base64decode(crypt.base64encode(text)) end)
  add("desencode " .. length, function() return crypt.desencode(key, text) end)
  add("desdecode " .. length, function() return crypt.desdecode(key, crypt.desencode(key, text)) end)
  add("sha1 " .. length, function() return crypt.sha1(text) end)
  add("hmac_sha1 " .. length, function() return crypt.hmac_sha1(secret, text) end)
  add("hmac_hash " .. length, function() return crypt.hmac_hash(key, text) end)
  add("hmac64 " .. length, function() return crypt.hmac64(key, other) end)
  add("hmac64_md5 " .. length, function() return crypt.hmac64_md5(key, other) end)
  add("dhexchange " .. length, function() return crypt.dhexchange(key) end)
  add("dhsecret " .. length, function() return crypt.dhsecret(key, other) end)
  if length > 0 then
    add("xor_str " .. length, function() return crypt.xor_str(bytes(500), text) end)
  end
end

local numbers = {
  "\1\0\0\0\0\0\0\0", "\2\0\0\0\0\0\0\0", "\255\255\255\255\255\255\255\255",
  "\197\255\255\255\255\255\255\255", "\196\255\255\255\255\255\255\255", "\0\0\0\0\0\0\0\128",
}
for i, one in ipairs(numbers) do
  add("dhexchange of " .. i, function() return crypt.dhexchange(one) end)
  for j, other in ipairs(numbers) do
    add(("dhsecret of %d and %d"):format(i, j), function() return crypt.dhsecret(one, other) end)
  end
end

add("weak key", function() return crypt.desencode("\1\1\1\1\1\1\1\1", "\128\0\0\0\0\0\0\0") end)
add("number as text", function() return crypt.base64encode(12.5) end)
add("foreign characters", function() return crypt.base64decode " Zm 9v\nYmFy" end)

add("odd hex", function() return crypt.hexdecode "abc" end)
add("no hex", function() return crypt.hexdecode "xy" end)
add("capital hex", function() return crypt.hexdecode "AB" end)
add("no base64", function() return crypt.base64decode "Z" end)
add("base64 with bits left", function() return crypt.base64decode "Zh==" end)
add("base64 with padding inside", function() return crypt.base64decode "Z=g=" end)
add("short key", function() return crypt.desencode("1234567", "") end)
add("long key", function() return crypt.desdecode("123456789", "") end)
add("no blocks", function() return crypt.desdecode("12345678", "123") end)
add("no block", function() return crypt.desdecode("12345678", "") end)
add("wrong key", function() return crypt.desdecode("12345678", crypt.desencode("87654321", "text")) end)
add("dhexchange of zero", function() return crypt.dhexchange(("\0"):rep(8)) end)
add("dhsecret of zero", function() return crypt.dhsecret(("\0"):rep(8), "12345678") end)
add("dhexchange of 7 bytes", function() return crypt.dhexchange "1234567" end)
add("dhsecret of 7 bytes", function() return crypt.dhsecret("1234567", "12345678") end)
add("dhsecret by 7 bytes", function() return crypt.dhsecret("12345678", "1234567") end)
add("hmac64 of 7 bytes", function() return crypt.hmac64("1234567", "12345678") end)
add("hmac64_md5 by 9 bytes", function() return crypt.hmac64_md5("12345678", "123456789") end)
add("hmac_hash of 7 bytes", function() return crypt.hmac_hash("1234567", "") end)
add("xor_str with nothing", function() return crypt.xor_str("text", "") end)

return cases
