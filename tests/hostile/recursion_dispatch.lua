-- A handler hands its own message to the dispatcher again, without end.
-- expect: C stack overflow
local skynet = require "skynet"

skynet.start(function()
  skynet.dispatch("lua", function()
    skynet.dispatch_message(10, nil, 0, 0, skynet.self())
  end)
  skynet.send(skynet.self(), "lua")
end)
