--- The former name of `skynet.socketchannel`.

return require "skynet.socketchannel"
