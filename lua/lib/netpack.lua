--- The former name of `skynet.netpack`.

return require "skynet.netpack"
