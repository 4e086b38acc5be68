--- Service `sharedatad`: skynet.sharedata for scripts that send to skynet's service of this name.
---
--- Not here: the library does not need this service, and does not start it.

local skynet = require "skynet"
local sharedata = require "skynet.sharedata"

local commands = { new = true, update = true, delete = true }

skynet.start(function()
  skynet.dispatch("lua", function(_, _, command, ...)
    if not commands[command] then
      error(("unknown command %s of sharedatad"):format(command), 0)
    end
    skynet.retpack(sharedata[command](...))
  end)
end)
