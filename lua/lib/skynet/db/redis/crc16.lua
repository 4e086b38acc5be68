--- `skynet.db.redis.crc16`: the checksum of keys, a function.
return require("skynet.redis.client").crc16
