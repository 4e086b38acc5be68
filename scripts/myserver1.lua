-- A service: it answers requests by the functions of its table CMD.
local skynet = require "skynet"

local CMD = {}

function CMD.hello(name)
  return "hello " .. name .. ", this is myserver1"
end

function CMD.note(text)
  skynet.error("myserver1 notes: " .. text)
end

skynet.start(function()
  skynet.dispatch("lua", function(session, source, cmd, ...)
    local f = assert(CMD[cmd], "myserver1 has no command " .. tostring(cmd))
    skynet.retpack(f(...))
  end)
end)
