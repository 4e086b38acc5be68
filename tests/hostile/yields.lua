-- Blocking where nothing can be suspended.
-- expect: attempt to yield across a C-call boundary
-- expect: blocking was refused everywhere
local skynet = require "skynet"

skynet.start(function()
  local function refused(f, ...)
    local ok, why = pcall(f, ...)
    assert(not ok)
    skynet.error(why)
  end
  local function block() skynet.sleep(1) end
  refused(string.gsub, "x", "x", block)
  refused(table.sort, { 2, 1 }, block)
  refused(load, block)
  refused(tostring, setmetatable({}, { __tostring = block }))
  refused(skynet.pack, setmetatable({}, { __pairs = block }))
  refused(string.gsub, "x", "x", coroutine.wrap(block))
  setmetatable({}, { __gc = block })
  pcall(collectgarbage)
  debug.sethook(block, "", 1)
  pcall(function() local x = 1 return x end)
  debug.sethook()
  skynet.sleep(1)
  skynet.error "blocking was refused everywhere"
end)
