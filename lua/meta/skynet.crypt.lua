---@meta skynet.crypt
-- LuaLS annotations of the native module `skynet.crypt`, which is `crypt` and `client.crypt` too.
-- Keys, challenges and secrets have eight bytes.

---@class skynet.crypt
---@field padding { iso7816_4: 0, pkcs7: 1 }
local crypt = {}

--- The bytes of a text in base64. Foreign characters are skipped, padding may be missing.
---@param text string
---@return string
function crypt.base64decode(text) end

--- Bytes as text in base64.
---@param bytes string
---@return string
function crypt.base64encode(bytes) end

--- Decrypts by DES.
---@param key string
---@param text string
---@param padding? 0|1 see `padding`
---@return string
function crypt.desdecode(key, text, padding) end

--- Encrypts by DES.
---@param key string
---@param text string
---@param padding? 0|1 see `padding`
---@return string
function crypt.desencode(key, text, padding) end

--- What to send for a secret.
---@param secret string
---@return string
function crypt.dhexchange(secret) end

--- What both sides have in common: of the other's message and the own secret.
---@param message string
---@param secret string
---@return string
function crypt.dhsecret(message, secret) end

--- Eight bytes that stand for a text.
---@param text string
---@return string
function crypt.hashkey(text) end

--- The bytes of hexadecimal digits, small letters.
---@param text string
---@return string
function crypt.hexdecode(text) end

--- Bytes as hexadecimal digits.
---@param bytes string
---@return string
function crypt.hexencode(bytes) end

--- Skynet's own code of a challenge under a secret.
---@param challenge string
---@param secret string
---@return string
function crypt.hmac64(challenge, secret) end

--- The same by plain MD5.
---@param challenge string
---@param secret string
---@return string
function crypt.hmac64_md5(challenge, secret) end

--- `hmac64` of a text's `hashkey`.
---@param secret string
---@param text string
---@return string
function crypt.hmac_hash(secret, text) end

--- HMAC with SHA-1.
---@param key string
---@param text string
---@return string twenty bytes
function crypt.hmac_sha1(key, text) end

--- Eight bytes that nobody can guess.
---@return string
function crypt.randomkey() end

--- The digest of SHA-1.
---@param text string
---@return string twenty bytes
function crypt.sha1(text) end

--- A text with the bytes of a key, repeated, xored into it.
---@param text string
---@param key string
---@return string
function crypt.xor_str(text, key) end

return crypt
