--- The module `skynet.mqueue` under its name of before skynet 1.2.
return require "skynet.mqueue"
