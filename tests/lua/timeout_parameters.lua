-- The function of a timer gets what its coroutine is resumed with: true and an empty message. That of a fork gets its own.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local main = coroutine.running()
  local function due(...)
    local ok, message, size = ...
    print(ok, type(message), size, skynet.tostring(message, size) == "")
    skynet.wakeup(main)
  end
  skynet.timeout(0, due)
  skynet.wait(main)
  local kept = skynet.timeout(1, due)
  skynet.wait(main)
  print(type(kept))

  -- A function that is also called with an argument sees which it is.
  local function reload(quietly)
    print(quietly and "reloaded quietly" or "reloaded")
    skynet.wakeup(main)
  end
  skynet.fork(reload)
  skynet.wait(main)
  skynet.timeout(1, reload)
  skynet.wait(main)
  skynet.abort()
end)
