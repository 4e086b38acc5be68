-- Finalizers that fail in natives while the text of another failure is on its way.
-- sandbox: message_time = "20s"
-- expect: 2000 texts are those of their callers
local skynet = require "skynet"

skynet.start(function()
  -- Names that are strings of their own each time: to look through them is work for the collector.
  for i = 1, 20 do
    package.loaded[("a module with a name of some length "):rep(4) .. i] = { sleep = skynet.sleep }
  end
  local function litter()
    setmetatable({}, { __gc = function()
      pcall(skynet.sleep, nil)
      pcall(skynet.timeout, ("x"):rep(5000))
    end })
  end
  local right = 0
  for _ = 1, 2000 do
    litter()
    local _, why = pcall(skynet.sleep, {})
    if why:find("bad argument #1 to 'skynet.sleep' (string expected, got table)", 1, true) then
      right = right + 1
    end
  end
  skynet.error(("%d texts are those of their callers"):format(right))
end)
