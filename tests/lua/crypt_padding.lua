-- since: 1.4
-- The paddings of DES, and base64 without its padding.
local skynet = require "skynet"
require "skynet.manager"
local crypt = require "skynet.crypt"

skynet.start(function()
  local key, padding = "12345678", crypt.padding
  print(padding.iso7816_4, padding.pkcs7)
  for length = 0, 17 do
    local text = ("abcdefghijklmnopq"):sub(1, length)
    local one = crypt.desencode(key, text, padding.iso7816_4)
    local other = crypt.desencode(key, text, padding.pkcs7)
    print(length, crypt.hexencode(one) == crypt.hexencode(crypt.desencode(key, text)), crypt.hexencode(other))
    assert(crypt.desdecode(key, one, padding.iso7816_4) == text)
    assert(crypt.desdecode(key, other, padding.pkcs7) == text)
  end
  print(pcall(crypt.desdecode, key, crypt.desencode(key, "text", padding.iso7816_4), padding.pkcs7))
  print(pcall(crypt.desdecode, key, crypt.desencode(key, "text", padding.pkcs7), padding.iso7816_4))
  print(pcall(crypt.desencode, key, "text", 2))
  print(crypt.base64decode "Zg", crypt.base64decode "Zm8", crypt.base64decode "Zm9v")
  print(pcall(crypt.base64decode, "Z"))
  skynet.abort()
end)
