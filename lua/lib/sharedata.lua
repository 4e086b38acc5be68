--- The module `skynet.sharedata` under its name of before skynet 1.2.
return require "skynet.sharedata"
