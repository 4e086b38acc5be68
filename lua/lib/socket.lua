--- The module `skynet.socket` under its name of before skynet 1.2.
return require "skynet.socket"
