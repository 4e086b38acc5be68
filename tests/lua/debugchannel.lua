-- skynet.debugchannel: lines from one service to another, past its mailbox.
local skynet = require "skynet"
require "skynet.manager"
local debugchannel = require "skynet.debugchannel"

skynet.start(function()
  local channel, pointer = debugchannel.create()
  print(type(channel), type(pointer))
  local other = debugchannel.connect(pointer)
  print("nothing", channel:read(), other:read())
  channel:write "one"
  channel:write "two"
  print(other:read(), other:read(), other:read())
  other:write "back"
  print("waits", channel:read(50), channel:read(10))

  -- A hook sees calls and lines; without a function it is gone.
  local events = {}
  local function hooked()
    local x = 1
    return x
  end
  debugchannel.sethook(function(event)
    events[event] = (events[event] or 0) + 1
  end, "crl")
  hooked()
  debugchannel.sethook()
  local lines = events.line
  hooked()
  print(events.call > 0, events["return"] > 0, lines > 2, lines == events.line)
  skynet.abort()
end)
