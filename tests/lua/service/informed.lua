-- Helper: has an info function, a debug command of its own and a secret in an upvalue.
local skynet = require "skynet"
local debug = require "skynet.debug"

local secret = { word = "hidden" }

debug.reg_debugcmd("OWN", function(...)
  skynet.retpack("own", ...)
end)

skynet.info_func(function(...)
  return "information", select("#", ...), ...
end)

skynet.start(function()
  skynet.dispatch("lua", function()
    skynet.retpack(secret.word)
  end)
end)
