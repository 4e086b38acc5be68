-- Waiting inside a skynet.coroutine suspends the whole chain, its status then being "blocked", and continues after.
local skynet = require "skynet"
require "skynet.manager"
local co = require "skynet.coroutine"

local function text(ok, message)
  return ok, (tostring(message):gsub("^.*:%d+: ", ""):match "[^\n]*")
end

skynet.start(function()
  local peer = skynet.newservice "peer"

  local c = co.create(function(n)
    for i = 1, n do
      co.yield(i, skynet.call(peer, "lua", "echo", "call " .. i))
      skynet.sleep(1)
    end
    return "done"
  end)
  print(co.resume(c, 2))
  print(co.resume(c))
  print(co.resume(c))
  print(co.status(c))

  -- While blocked it can be resumed by nobody.
  c = co.create(function()
    skynet.sleep(3)
    co.yield "slept"
    return "ended"
  end)
  skynet.fork(function()
    print("status meanwhile", co.status(c))
    print(text(co.resume(c)))
  end)
  print(co.resume(c))
  print("status after", co.status(c))
  print(co.resume(c))

  -- Errors of a call pass through.
  c = co.create(function()
    skynet.call(peer, "lua", "raise", "x")
  end)
  print(text(co.resume(c)))

  -- Others.
  print(text(co.resume(coroutine.create(function() end))))
  local dead = coroutine.create(function() end)
  coroutine.resume(dead)
  print(text(co.resume(dead)))
  print(text(co.resume(coroutine.running())))

  -- A bare yield of it outside of resume is an error of the coroutine, told in the log only.
  skynet.fork(function()
    co.yield()
    print "this must not print"
  end)
  skynet.sleep(5)

  -- A request may be answered from inside one.
  skynet.dispatch("lua", function()
    co.wrap(function()
      skynet.sleep(1)
      skynet.retpack "answered inside"
    end)()
  end)
  print(skynet.call(skynet.self(), "lua"))
  skynet.abort()
end)
