-- skynet.mqueue handles its messages strictly one after another and passes error texts back to the caller.
local skynet = require "skynet"
require "skynet.manager"
local mqueue = require "skynet.mqueue"

skynet.start(function()
  local self = skynet.self()
  mqueue.register(function(name, delay)
    if name == "fail" then
      error("failure text", 0)
    end
    print(name, "begins", mqueue.size())
    skynet.sleep(delay)
    print(name, "ends")
    if delay ~= 3 then
      return name, delay
    end
  end)
  print("register twice", (pcall(mqueue.register, print)))

  mqueue.send(self, "first", 3)
  local left = 2
  for i, name in ipairs { "second", "third" } do
    skynet.fork(function()
      print("answer", mqueue.call(self, name, 2 - i))
      left = left - 1
    end)
  end
  repeat
    skynet.sleep(1)
  until left == 0
  local ok, message = pcall(mqueue.call, self, "fail")
  print("error", ok, (message:gsub("^.*:%d+: ", "")))
  print("size", mqueue.size())
  skynet.abort()
end)
