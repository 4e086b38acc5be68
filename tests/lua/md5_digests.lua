-- The digests of md5, its cipher, and the module behind it.
local skynet = require "skynet"
require "skynet.manager"
local md5 = require "md5"
local core = require "md5.core"

--- The functions are those of `md5.core` too; which of the two names an error has is a matter of chance in skynet.
local function fails(...)
  local ok, why = pcall(...)
  print(ok, (why:gsub("md5%.core%.", "md5.")))
end

skynet.start(function()
  print(md5.sumhexa "", md5.sumhexa "abc", md5.sumhexa(("x"):rep(1000)))
  print(#md5.sum "abc", md5.sum "abc" == core.sum "abc", md5.sumhexa(12.5))
  print(md5.hmacmd5("what do ya want for nothing?", "Jefe"))
  print(md5.hmacmd5("text", ("k"):rep(100)))
  print(md5.exor("abc", "   "), md5.exor("", "") == "")
  local secret = md5.crypt("a message of some length, more than a block", "a key", "seed")
  print(#secret, secret:sub(1, 5) == "\4seed", md5.decrypt(secret, "a key"))
  print(md5.decrypt(md5.crypt("no seed", "key"), "key"))
  fails(md5.sum)
  fails(md5.exor, "a", "ab")
  fails(md5.crypt, "text", ("k"):rep(257))
  fails(md5.decrypt, "\200", "key")
  skynet.abort()
end)
