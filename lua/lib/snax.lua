--- The module `skynet.snax` under its name of before skynet 1.2.
return require "skynet.snax"
