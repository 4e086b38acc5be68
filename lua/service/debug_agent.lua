--- Service `debug_agent`: carries lines from a console to the step debugger of one service.
---
--- Invariant: it ends with the debugging, however that ends.
--- Not here: the console (debug_console.lua), the debugger (lib/skynet/remotedebug.lua).

local skynet = require "skynet"
local debugchannel = require "skynet.debugchannel"

local commands = {}
local channel

--- Debugs the service `address`, whose debugger writes to the socket `fd`; answers when the
--- debugger is left. **Yields.**
function commands.start(address, fd)
  assert(not channel, "debug_agent: started already")
  local pointer
  channel, pointer = debugchannel.create()
  skynet.error("Attach to " .. skynet.address(address))
  local ok, why = pcall(skynet.call, address, "debug", "REMOTEDEBUG", fd, pointer)
  debugchannel.release(pointer)
  if ok then
    skynet.ret()
  else
    skynet.error("debug_agent: " .. why)
    skynet.response()(false)
  end
  skynet.exit()
end

function commands.cmd(line)
  if channel and not channel:write(line) then
    skynet.error "debug_agent: too many lines wait for the debugger"
  end
end

function commands.ping()
  skynet.ret()
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, command, ...)
    local handler = commands[command] or error(("debug_agent: unknown command %s"):format(command), 0)
    handler(...)
  end)
end)
