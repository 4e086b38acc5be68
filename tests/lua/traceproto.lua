-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- traceproto makes every request of a type traced, or none; tracecall traces one raw call under a given tag.
local skynet = require "skynet"
require "skynet.manager"

local function count()
  return skynet.call(".logger", "lua", "count", "^<TRACE")
end

skynet.start(function()
  local self = skynet.self()
  local tag
  skynet.dispatch("lua", function(_, _, ...)
    tag = skynet.tracetag()
    skynet.retpack(...)
  end)

  skynet.call(self, "lua")
  print("as it is", tag, count())

  skynet.traceproto("lua", true)
  skynet.call(self, "lua")
  print("always", tag ~= nil, count() > 0)
  local first = tag
  skynet.call(self, "lua")
  print("each its own", tag ~= first)

  skynet.traceproto("lua", false)
  skynet.call(self, "lua")
  print("never", tag)
  skynet.fork(function()
    skynet.trace()
    skynet.call(self, "lua")
    print("never even if asked", tag)
  end)
  skynet.sleep(5)

  skynet.traceproto("lua", nil)
  skynet.call(self, "lua")
  print("as it is again", tag)
  print("unknown", (pcall(skynet.traceproto, "nosuch", true)))

  print("tracecall", skynet.unpack(skynet.tracecall("my tag", self, "lua", skynet.pack("a", 1))))
  print("under", tag)
  local text = skynet.call(".logger", "lua", "take", "^<TRACE my tag> %d+ tracecall begin")
  print(text ~= nil, (skynet.call(".logger", "lua", "take", "^<TRACE my tag> %d+ request") ~= nil))
  print(skynet.call(".logger", "lua", "take", "^<TRACE my tag> %d+ tracecall end") ~= nil)
  skynet.abort()
end)
