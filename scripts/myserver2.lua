-- Another service. It runs beside myserver1, in a Lua state of its own and perhaps on another thread.
local skynet = require "skynet"

local CMD = {}
local visits = 0

function CMD.greet(name)
  visits = visits + 1
  return ("greetings from myserver2, %s: visit number %d"):format(name, visits)
end

function CMD.note(text)
  skynet.error("myserver2 notes: " .. text)
end

skynet.start(function()
  skynet.dispatch("lua", function(session, source, cmd, ...)
    local f = assert(CMD[cmd], "myserver2 has no command " .. tostring(cmd))
    skynet.retpack(f(...))
  end)
end)
