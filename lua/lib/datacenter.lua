--- The module `skynet.datacenter` under its name of before skynet 1.2.
return require "skynet.datacenter"
