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
  assert(not load(block))
  refused(tostring, setmetatable({}, { __tostring = block }))
  refused(skynet.pack, setmetatable({}, { __pairs = block }))
  refused(string.gsub, "x", "x", coroutine.wrap(block))
  setmetatable({}, { __gc = block })
  pcall(collectgarbage)
  refused(coroutine.wrap(function()
    debug.sethook(block, "", 1)
    return 1 + #skynet.address(1)
  end))
  skynet.sleep(1)
  skynet.error "blocking was refused everywhere"
end)
