--- The module `skynet.profile` under its name of before skynet 1.2.
return require "skynet.profile"
