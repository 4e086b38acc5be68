-- Rewriting what the node starts from, to have more rights the next time.
-- expect: may not write sandbox.toml (the node starts from it
-- expect: may not write ./config
local skynet = require "skynet"

skynet.start(function()
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    skynet.error(ok and "has escaped" or why)
    assert(not ok)
  end
  for _, name in ipairs { "sandbox.toml", "./config" } do
    try(io.open, name, "w")
    try(os.remove, name)
    try(os.rename, name, "other")
    try(os.rename, "x", name)
  end
  try(io.open, "node", "w")
end)
