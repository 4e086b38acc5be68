--- `skynet.db.redis.crc16`: the checksum that says to which slot of a cluster a key belongs.

local network = require "skynet.redis.cluster"

---@type fun(text: string): integer
return network.crc16
