---@meta md5
-- LuaLS annotations of the native module `md5`.

---@class md5 : md5.core
local md5 = {}

--- As in `md5.core`.
---@param text string
---@param key string at most 256 bytes
---@param seed? string at most 16 bytes; the time by default
---@return string
function md5.crypt(text, key, seed) end

--- As in `md5.core`.
---@param text string
---@param key string
---@return string
function md5.decrypt(text, key) end

--- As in `md5.core`.
---@param one string
---@param other string
---@return string
function md5.exor(one, other) end

--- The code of a text under a key, as hexadecimal digits.
---@param text string
---@param key string
---@return string
function md5.hmacmd5(text, key) end

--- As in `md5.core`.
---@param text string
---@return string
function md5.sum(text) end

--- The digest as hexadecimal digits.
---@param text string
---@return string
function md5.sumhexa(text) end

return md5
