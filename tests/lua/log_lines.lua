-- log: keep
-- On stdout each log entry is the sender's address in brackets and the text; starts and ends of services are seen.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  skynet.error "a line"
  skynet.error("several", "words", 1, 2.5, true, nil)
  skynet.error("an address", skynet.address(skynet.self()))
  skynet.error "two\nlines"
  skynet.error ""
  local peer = skynet.newservice("no_dispatch", "a", "b")
  skynet.sleep(5)
  skynet.send(peer, "debug", "EXIT")
  skynet.sleep(5)
  skynet.error "last line"
  -- The logger writes on its own time.
  skynet.sleep(10)
  skynet.abort()
end)
