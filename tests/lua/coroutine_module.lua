-- skynet.coroutine is Lua's coroutine library for use in services: same results, plus status "blocked" and thread().
local skynet = require "skynet"
require "skynet.manager"
local co = require "skynet.coroutine"

local function text(ok, message, ...)
  return ok, tostring(message):gsub("^.*:%d+: ", ""):match "[^\n]*", ...
end

skynet.start(function()
  -- Values in and out.
  local c = co.create(function(...)
    print("started with", ...)
    print("resumed with", co.yield("first", nil, 3))
    print("resumed with", co.yield())
    return "returned", nil
  end)
  print(type(c), co.status(c))
  print(co.resume(c, 1, nil))
  print(co.status(c))
  print(co.resume(c, "again"))
  print(co.resume(c))
  print(co.status(c))
  print(text(co.resume(c)))

  -- Errors end it.
  c = co.create(function() error "broken" end)
  print(text(co.resume(c)))
  print(co.status(c), text(co.resume(c)))

  -- wrap.
  local f = co.wrap(function(n)
    for i = 1, n do
      co.yield(i)
    end
    return "done"
  end)
  print(f(2), f(), f())
  print(text(pcall(f)))
  print(text(pcall(co.wrap(function() error "in a wrap" end))))

  -- Nested ones yield to whom resumed them.
  local outer = co.wrap(function()
    local inner = co.wrap(function()
      co.yield "from inner"
      return "inner ends"
    end)
    co.yield(inner())
    co.yield "from outer"
    return inner()
  end)
  print(outer(), outer(), outer())

  -- running, isyieldable, status of others.
  print(co.running() == coroutine.running(), select(2, co.running()), co.isyieldable())
  print(co.status(co.running()))
  local me = co.running()
  co.wrap(function()
    print("inside", co.running() == me, co.status(me), co.status(co.running()))
  end)()

  -- thread() names the service's coroutine at the root.
  print("root", co.thread() == me, select(2, co.thread()))
  co.wrap(function()
    print("one deep", co.thread() == me, select(2, co.thread()))
    co.wrap(function()
      print("two deep", co.thread() == me, select(2, co.thread()))
    end)()
  end)()
  skynet.abort()
end)
