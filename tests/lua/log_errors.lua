-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- An error in a handler, timer or fork is logged with source, self, session and size, in red, with its traceback.
local skynet = require "skynet"
require "skynet.manager"

local function show(what, pattern)
  local text, source = skynet.call(".logger", "lua", "take", pattern)
  local self = ("%x"):format(skynet.self())
  local head, body = text:match "^lua call %[(.-)%] error : \27%[31m(.*)\27%[0m$"
  local from, to, session, size = (head or ""):match "^(%x+) to :(%x+) : (%-?%d+) msgsz = (%d+)$"
  if not from then
    print(what, "no match", text)
    return
  end
  print(what, to == self, body:match(pattern), body:match "stack traceback:", source == skynet.self())
  return from == self and "self" or from, math.tointeger(session) > 0 and "session" or session, size
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, text)
    error(text)
  end)
  local self = skynet.self()

  skynet.send(self, "lua", "from a send")
  print(show("send", "from a send"))
  pcall(skynet.call, self, "lua", "from a call")
  print(show("call", "from a call"))
  skynet.timeout(0, function() error "from a timer" end)
  print(show("timer", "from a timer"))
  skynet.fork(function() error "from a fork" end)
  skynet.yield()
  show("fork", "from a fork")

  -- An error that is no string is told through __tostring.
  skynet.fork(function()
    error(setmetatable({}, { __tostring = function() return "an object" end }))
  end)
  skynet.yield()
  show("object", "an object")

  -- Two forks failing in one dispatch share one line.
  skynet.fork(function() error "first of two" end)
  skynet.fork(function() error "second of two" end)
  skynet.yield()
  local text = skynet.call(".logger", "lua", "take", "first of two")
  print("two forks", text:find("second of two", 1, true) ~= nil)

  -- An error behind a wait is told with the message that resumed the coroutine: here the timer's.
  skynet.fork(function()
    skynet.sleep(1)
    error "behind a wait"
  end)
  print(show("behind a wait", "behind a wait"))
  skynet.abort()
end)
