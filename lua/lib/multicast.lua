--- The module `skynet.multicast` under its name of before skynet 1.2.
return require "skynet.multicast"
