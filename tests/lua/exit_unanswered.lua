-- skynet.exit fails the calls it leaves unanswered, whether their handlers wait, hold a response object or never ran.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local peer = skynet.newservice "peer"
  local failed = {}
  local function call(what, ...)
    if not pcall(skynet.call, peer, "lua", ...) then
      failed[#failed + 1] = what
    end
  end

  skynet.fork(call, "held", "hold")
  skynet.fork(call, "held too", "hold")
  skynet.fork(call, "sleeping", "sleep", 1000)
  skynet.fork(call, "calling", "call", skynet.self(), "never answered")
  skynet.dispatch("lua", function()
    skynet.ignoreret()
  end)
  skynet.sleep(5)
  skynet.fork(call, "exiting", "exit")
  skynet.fork(call, "queued behind it", "echo")
  skynet.sleep(5)
  table.sort(failed)
  print(table.concat(failed, "\n"))
  print("send to it", select("#", skynet.send(peer, "lua", "echo")))
  skynet.abort()
end)
