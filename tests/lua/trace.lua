-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- skynet.trace follows one request through every service it touches, logging each step under one tag.
local skynet = require "skynet"
require "skynet.manager"

--- The steps `address` logged under `tag` up to `last`, without their clocks; the source lines are counted.
local function steps(address, tag, last)
  repeat
    local text = skynet.call(".logger", "lua", "take", "^<TRACE", address)
    local name, event, where = text:match "^<TRACE ([^>]+)> %d+ ([^:]+)(.*)$"
    event = event:gsub(" $", "")
    local _, places = where:gsub("%.lua:%d+", "")
    print(address == skynet.self() and "caller" or "callee", name == tag, event, places > 0 and "with places" or "")
  until event == last
end

skynet.start(function()
  local peer = skynet.newservice "peer"
  print("tag before", skynet.tracetag())
  skynet.fork(function()
    skynet.trace "here"
    local tag = skynet.tracetag()
    print("tag", tag:match "^:%x%x%x%x%x%x%x%x%-%d+$" ~= nil, tag:sub(1, 9) == skynet.address(skynet.self()))
    skynet.call(peer, "lua", "echo", 1)
    skynet.sleep(1)
    skynet.tracelog(tag, "own text")
    skynet.tracelog(tag, "trace ends")
    skynet.fork(function()
      print("tag of a fork", skynet.tracetag())
    end)
    skynet.yield()
    steps(skynet.self(), tag, "trace ends")
    steps(peer, tag, "end")
    skynet.abort()
  end)
end)
