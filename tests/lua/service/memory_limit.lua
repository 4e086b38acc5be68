-- Helper: limits its own memory and tells what happens beyond.
local skynet = require "skynet"

skynet.memlimit(4 * 1024 * 1024)
local once = skynet.memlimit == nil

skynet.start(function()
  skynet.dispatch("lua", function(_, _, what)
    if what == "once" then
      skynet.retpack(once)
    elseif what == "too much" then
      local ok, message = pcall(string.rep, "x", 16 * 1024 * 1024)
      skynet.retpack(ok, message:match "not enough memory")
    elseif what == "unprotected" then
      skynet.retpack(#("x"):rep(16 * 1024 * 1024))
    else
      skynet.retpack(#("x"):rep(1024 * 1024))
    end
  end)
end)
