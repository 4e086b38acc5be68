-- Helper: maps type 91 to its own "relay" type and passes those messages on, unread, to the service it is given.
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol {
  name = "relay", id = 92,
  unpack = function(message, size)
    return message, size
  end,
}

local target = tonumber((...))
skynet.forward_type({ [91] = 92 }, function()
  skynet.dispatch("relay", function(session, source, message, size)
    skynet.redirect(target, source, "lua", session, message, size)
    skynet.ignoreret()
  end)
  skynet.dispatch("lua", function(_, _, ...)
    skynet.retpack("own lua", ...)
  end)
end)
