-- Helper: the node's monitor; counts the deaths it is told of.
local skynet = require "skynet"

local deaths = {}

skynet.register_protocol {
  name = "client", id = skynet.PTYPE_CLIENT,
  unpack = function(_, size)
    return size
  end,
  dispatch = function(session, source, size)
    deaths[#deaths + 1] = { address = source, session = session, size = size }
  end,
}

skynet.start(function()
  skynet.dispatch("lua", function()
    skynet.retpack(deaths)
  end)
end)
