--- `cluster`: the old name of `skynet.cluster`.

return require "skynet.cluster"
