-- Programs, the end of the node, its locale.
-- expect: may not start processes (to allow it: process in sandbox.toml)
-- expect: may not end the node (to allow it: exit in sandbox.toml
-- expect: may not change the locale
local skynet = require "skynet"

skynet.start(function()
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    skynet.error(ok and "has escaped" or why)
    assert(not ok)
  end
  try(os.execute, "touch /tmp/hostile_escape")
  try(io.popen, "touch /tmp/hostile_escape")
  try(os.exit)
  try(os.exit, true, true)
  try(os.setlocale, "")
  assert(os.execute() == false)
  assert(os.setlocale() == "C")
  setmetatable({}, { __gc = function() os.exit(1) end })
  pcall(collectgarbage)
end)
