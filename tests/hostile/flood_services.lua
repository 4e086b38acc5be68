-- Services are started without end, until the node has as many as it may.
-- expect: services, its limit (sandbox.toml: [node] services)
-- expect: the flood of services has ended
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local all = {}
  while true do
    local address = skynet.launch("snlua", "support/idle")
    if not address then break end
    all[#all + 1] = address
  end
  for _, address in ipairs(all) do
    skynet.kill(address)
  end
  skynet.error "the flood of services has ended"
end)
