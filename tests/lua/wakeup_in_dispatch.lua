-- Within one dispatch: woken coroutines come before forks, and both before the next message.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local waiter = skynet.fork(function()
    while true do
      skynet.wait()
      print "  woken"
    end
  end)
  local caller = skynet.fork(function()
    pcall(skynet.call, skynet.self(), "lua", "never")
    print "  failed call"
  end)
  local session
  skynet.dispatch("lua", function(_, _, name)
    print("message", name)
    if name == "never" then
      session = skynet.context()
      skynet.ignoreret()
      return
    end
    if name == "one" then
      skynet.fork(print, "  fork before the wakeup")
      skynet.wakeup(waiter)
      skynet.fork(print, "  fork after the wakeup")
      print "  handler ends"
    end
  end)
  skynet.yield()
  skynet.yield()

  skynet.send(skynet.self(), "lua", "one")
  skynet.send(skynet.self(), "lua", "two")
  skynet.sleep(5)
  print(coroutine.status(caller))
  skynet.redirect(skynet.self(), skynet.self(), "error", session, "")
  skynet.send(skynet.self(), "lua", "three")
  skynet.sleep(5)
  skynet.abort()
end)
