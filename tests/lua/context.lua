-- skynet.context gives session and source of the running request until it is answered, and nothing elsewhere.
local skynet = require "skynet"
require "skynet.manager"

local function show(what)
  local session, source = skynet.context()
  print(what, math.type(session), source and skynet.address(source) == skynet.address(skynet.self()))
end

local command = {}

function command.called()
  local before = skynet.context()
  show "called"
  skynet.sleep(5)
  print("same after a wait", skynet.context() == before)
  skynet.fork(function()
    show "fork"
  end)
  skynet.ret()
  show "answered"
end

function command.sent()
  local session, source = skynet.context()
  print("sent", session, source == skynet.self())
end

function command.taken()
  local answer = skynet.response()
  show "taken over"
  answer(true)
end

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("lua", function(session, source, name)
    print(name, session == skynet.context(), source == select(2, skynet.context()))
    command[name]()
  end)

  skynet.call(self, "lua", "called")
  skynet.call(self, "lua", "taken")
  skynet.send(self, "lua", "sent")
  skynet.sleep(5)
  show "start function"
  skynet.abort()
end)
