--- The module `skynet.socketdriver` under its name of before skynet 1.2.
return require "skynet.socketdriver"
