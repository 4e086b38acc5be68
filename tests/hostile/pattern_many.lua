-- More services in such patterns than the node has workers.
-- expect: the others still answer
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"
require "skynet.manager"

local kind = ...

skynet.start(function()
  if kind then
    local text = ("a"):rep(30)
    for _ = 1, 300 do
      text:find(("a*"):rep(7) .. "b")
    end
  end
  for _ = 1, 6 do
    skynet.launch("snlua", "pattern_many", "x")
  end
  for _ = 1, 4 do
    skynet.newservice "support/idle"
  end
  skynet.error "the others still answer"
end)
