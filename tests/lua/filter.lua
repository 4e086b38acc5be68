-- skynet.filter sees the raw arguments of every message and hands on what it likes; the service starts as usual.
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol { name = "ninety", id = 90, pack = skynet.pack, unpack = skynet.unpack }

skynet.start(function()
  local service = skynet.newservice "filtering"
  print(skynet.call(service, "lua", "as lua"))
  print(skynet.call(service, "ninety", "as type 90", 2))
  skynet.send(service, "ninety", "sent")
  print("debug", select("#", skynet.call(service, "debug", "PING")))
  skynet.abort()
end)
