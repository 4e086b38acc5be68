-- Library functions inside each other, each with a large frame on the C stack.
-- expect: C stack overflow
local skynet = require "skynet"

skynet.start(function()
  local depth = 0
  local function deeper()
    depth = depth + 1
    return (("x"):gsub("x", deeper))
  end
  deeper()
end)
