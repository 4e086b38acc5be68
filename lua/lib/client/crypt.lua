--- `skynet.crypt` for programs that are clients.
return require "skynet.crypt"
