-- Writing outside the working folder, also through a link, dots and a zero byte.
-- expect: may not write /tmp/hostile_escape (to allow it: write in sandbox.toml)
-- expect: may not write link/hostile_escape
-- expect: may not write ../hostile_escape
local skynet = require "skynet"

skynet.start(function()
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    skynet.error(ok and "has escaped" or why)
    assert(not ok)
  end
  for _, name in ipairs { "/tmp/hostile_escape", "link/hostile_escape", "../hostile_escape", "./../hostile_escape\0/../x" } do
    for _, mode in ipairs { "w", "a", "r+", "w+b" } do
      try(io.open, name, mode)
    end
    try(io.output, name)
    try(os.remove, name)
    try(os.rename, "sandbox.toml", name)
    try(os.rename, name, "x")
  end
  try(os.tmpname)
  try(io.tmpfile)
end)
