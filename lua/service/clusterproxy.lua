--- Service `clusterproxy NODE ADDRESS`: stands for a service of another node, for scripts that
--- start it themselves. `cluster.proxy` gives a native one.

local skynet = require "skynet"
local network = require "skynet.cluster.network"
require "skynet.cluster"

local node, address = ...
address = math.tointeger(tonumber(address)) or address

skynet.register_protocol {
  name = "snax",
  id = skynet.PTYPE_SNAX,
  pack = skynet.pack,
  unpack = skynet.unpack,
}

local function forward(session, _, ...)
  if session == 0 then
    network.send(node, address, ...)
  else
    skynet.retpack(network.call(node, address, ...))
  end
end

skynet.start(function()
  skynet.dispatch("lua", forward)
  skynet.dispatch("snax", forward)
end)
