---@meta md5.core
-- LuaLS annotations of the native module `md5.core`.

---@class md5.core
local core = {}

--- Encrypts; the same text gives the same bytes under the same key and seed.
---@param text string
---@param key string at most 256 bytes
---@param seed? string at most 16 bytes; the time by default
---@return string
function core.crypt(text, key, seed) end

--- Reverses `crypt`.
---@param text string
---@param key string
---@return string
function core.decrypt(text, key) end

--- The exclusive-or of two strings of one length.
---@param one string
---@param other string
---@return string
function core.exor(one, other) end

--- The digest.
---@param text string
---@return string sixteen bytes
function core.sum(text) end

return core
