-- Functions given to skynet.init before start run in order before the start function, inside a coroutine that may wait.
local skynet = require "skynet"
require "skynet.manager"

skynet.init(function()
  print("first", select(2, coroutine.running()))
end)
skynet.init(function()
  print "second waits"
  skynet.sleep(5)
  print "second done"
end)
print("not a function", pcall(skynet.init, "text") == false)

skynet.start(function()
  print "start function"
  skynet.abort()
end)

skynet.init(function()
  print "third, given after skynet.start was called"
end)
print "main chunk ends"
