-- A login as clients and servers make it: key exchange, challenge, DES, and what each end sends.
local skynet = require "skynet"
require "skynet.manager"
local crypt = require "skynet.crypt"

skynet.start(function()
  local client_key, server_key = crypt.randomkey(), crypt.randomkey()
  print(#client_key, client_key ~= server_key, client_key ~= ("\0"):rep(8))
  local to_server, to_client = crypt.dhexchange(client_key), crypt.dhexchange(server_key)
  local secret = crypt.dhsecret(to_client, client_key)
  print("secret", #secret, secret == crypt.dhsecret(to_server, server_key))

  local challenge = crypt.randomkey()
  print("hmac", crypt.hmac64(challenge, secret) == crypt.hmac64(challenge, secret), #crypt.hmac64(challenge, secret))

  local function encode_token(token)
    return ("%s@%s:%s"):format(crypt.base64encode(token.user), crypt.base64encode(token.server), crypt.base64encode(token.pass))
  end
  local text = encode_token { server = "sample", user = "hello", pass = "password" }
  print(text)
  local sent = crypt.base64encode(crypt.desencode(secret, text))
  local received = crypt.desdecode(secret, crypt.base64decode(sent))
  print(received == text)
  local user, server, pass = received:match "([^@]+)@([^:]+):(.+)"
  print(crypt.base64decode(user), crypt.base64decode(server), crypt.base64decode(pass))

  local handshake = ("%s@%s#%s:%d"):format(crypt.base64encode "hello", crypt.base64encode "sample", crypt.base64encode "1", 1)
  print(handshake, #crypt.base64encode(crypt.hmac64(crypt.hashkey(handshake), secret)))
  print(crypt.hmac_hash(secret, handshake) == crypt.hmac64(crypt.hashkey(handshake), secret))

  -- hmac64_md5 is made of plain MD5.
  local md5 = require "md5"
  local sum = md5.sum((challenge .. secret):rep(3))
  print(crypt.hmac64_md5(challenge, secret) == crypt.xor_str(sum:sub(1, 8), sum:sub(9, 16)))

  print(crypt.hexencode(crypt.sha1 "abc"), crypt.hexencode(crypt.hmac_sha1("key", "text")))

  print(pcall(crypt.desencode))
  print(pcall(crypt.desencode, "short", "text"))
  print(pcall(crypt.desencode, "12345678", {}))
  print(pcall(crypt.base64encode))
  print(pcall(crypt.hexdecode, "abc"))
  print(select(2, pcall(function() return crypt.hexdecode "zz" end)):match ":(%d+: .*)")
  print(require "client.crypt".sha1 "x" == crypt.sha1 "x")
  skynet.abort()
end)
