--- The module `skynet.memory` under its name of before skynet 1.2.
return require "skynet.memory"
