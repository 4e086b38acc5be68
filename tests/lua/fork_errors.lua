-- An error in one fork or handler stops that coroutine alone; one behind the answer changes nothing for the caller.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("lua", function(_, _, what)
    if what == "answer and fail" then
      skynet.retpack "answered"
      error "behind the answer"
    elseif what == "fork and answer" then
      skynet.fork(function() error "in the handler's fork" end)
      skynet.retpack "answered too"
    else
      skynet.fork(print, "fork of a failing handler runs")
      error "with forks outstanding"
    end
  end)

  skynet.fork(function() error "first fork" end)
  skynet.fork(print, "second fork runs")
  skynet.fork(function() error "third fork" end)
  skynet.fork(print, "fourth fork runs")
  skynet.yield()

  print(skynet.call(self, "lua", "answer and fail"))
  print(skynet.call(self, "lua", "fork and answer"))
  print(pcall(skynet.call, self, "lua", "fail with forks") == false)
  skynet.abort()
end)
