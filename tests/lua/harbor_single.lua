-- On a single node (harbor = 0): link answers at once, linkmaster is unknown, connect never answers.
local skynet = require "skynet"
require "skynet.manager"
local harbor = require "skynet.harbor"

skynet.start(function()
  print("link", select("#", harbor.link(1)))
  local ok, message = pcall(harbor.linkmaster)
  print("linkmaster", ok, (message:gsub("^.*:%d+: ", "")))
  local thread = skynet.fork(function()
    harbor.connect(1)
    print "this must not print"
  end)
  skynet.sleep(5)
  print("connect", coroutine.status(thread))
  skynet.abort()
end)
