--- The module `skynet.db.redis` under its name of before skynet 1.2.
return require "skynet.db.redis"
