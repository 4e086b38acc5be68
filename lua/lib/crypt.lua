--- The former name of `skynet.crypt`.
return require "skynet.crypt"
