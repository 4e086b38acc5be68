-- skynet.pcall is a protected call that may wait inside; an error gives false and a text that begins with the message.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  print(skynet.pcall(function(...)
    skynet.sleep(1)
    return skynet.call(peer, "lua", "echo", ...)
  end, 1, nil, "x"))
  local ok, message = skynet.pcall(function() error "boom" end)
  print(ok, type(message), message:match "skynet_pcall%.lua:%d+: boom")
  skynet.abort()
end)
