-- Coroutines are closed, killed and resumed where they should not be.
-- expect: the coroutines are in order
local skynet = require "skynet"

skynet.start(function()
  local co = coroutine.create(function()
    while true do pcall(coroutine.yield) end
  end)
  coroutine.resume(co)
  coroutine.close(co)
  pcall(coroutine.close, coroutine.running())
  pcall(coroutine.resume, coroutine.running())
  pcall(skynet.killthread, coroutine.running())
  local sleeper = skynet.fork(function()
    xpcall(function() skynet.sleep(100000) end, function() coroutine.yield() end)
    skynet.wait()
  end)
  skynet.sleep(0)
  pcall(coroutine.resume, sleeper)
  pcall(coroutine.close, sleeper)
  skynet.killthread(sleeper)
  pcall(coroutine.resume, sleeper)
  local self_closer
  self_closer = coroutine.wrap(function() pcall(self_closer) coroutine.yield() end)
  self_closer()
  local outer = coroutine.create(function()
    local inner = coroutine.create(function() skynet.sleep(1) end)
    coroutine.resume(inner)
    coroutine.resume(inner)
  end)
  skynet.fork(function() coroutine.resume(outer) end)
  skynet.sleep(0)
  pcall(coroutine.resume, outer)
  pcall(coroutine.close, outer)
  skynet.sleep(5)
  skynet.error "the coroutines are in order"
end)
