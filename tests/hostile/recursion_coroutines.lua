-- Coroutines that resume each other without end, with and without a pcall.
-- expect: C stack overflow
local skynet = require "skynet"

skynet.start(function()
  local function deeper()
    local ok, why = coroutine.resume(coroutine.create(deeper))
    if not ok then error(why, 0) end
  end
  local function wrapped() return coroutine.wrap(wrapped)() end
  pcall(deeper)
  pcall(wrapped)
  local function in_handler() return xpcall(error, in_handler) end
  in_handler()
  deeper()
end)
