-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- Messages nobody handles are logged: unknown requests and responses with their bytes, then the session and source.
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.core"

skynet.register_protocol { name = "raw", id = 61, pack = function(s) return s end, unpack = skynet.tostring }

local function show(pattern)
  local text = skynet.call(".logger", "lua", "take", pattern)
  local self = ("%x"):format(skynet.self())
  local line = text:match "Unknown session : [^\n]*" or text
  print((line:gsub("from %x+", function(s) return s == "from " .. self and "from SELF" or s end)))
end

skynet.start(function()
  local self = skynet.self()
  skynet.send(self, "raw", "some bytes")
  show "^Unknown request"
  show "Unknown session"
  core.send(self, 62, 0, "other bytes")
  show "^Unknown request"
  show "Unknown session"
  skynet.redirect(self, 0xabc, "response", 4321, "late answer")
  show "^Response message"
  show "Unknown session"

  -- A handler that forgets to answer.
  skynet.dispatch("lua", function() end)
  skynet.fork(skynet.call, self, "lua")
  local text = skynet.call(".logger", "lua", "take", "^Maybe forgot")
  print((text:gsub("session %d+", "session N"):gsub(skynet.address(self), "SELF"):gsub("%d+$", "LINE")))

  -- A send may be left unanswered.
  skynet.send(self, "lua")
  skynet.sleep(5)
  print(skynet.call(".logger", "lua", "count", "^Maybe forgot"))
  skynet.abort()
end)
