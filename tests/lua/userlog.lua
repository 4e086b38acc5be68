-- config: logservice = "snlua"
-- config: logger = "printing_log"
-- A Lua service can be the logger: it is number 1, named .logger, and gets each entry as a text message.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  print("logger", skynet.localname ".logger")
  skynet.error "test line"
  skynet.error("test", 1, nil)
  skynet.error "not shown"
  skynet.error "test\nof two lines"
  local core = require "skynet.core"
  core.send(".logger", skynet.PTYPE_SYSTEM, 0, "")
  print("answers", select("#", skynet.call(".logger", "debug", "PING")))
  skynet.abort()
end)
