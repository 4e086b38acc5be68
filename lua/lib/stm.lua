--- The module `skynet.stm` under its name of before skynet 1.2.
return require "skynet.stm"
