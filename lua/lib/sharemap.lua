--- The module `skynet.sharemap` under its name of before skynet 1.2.
return require "skynet.sharemap"
