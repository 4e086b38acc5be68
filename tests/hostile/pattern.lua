-- A pattern that backtracks for long, in a C function that looks at no hook: the interrupt comes
-- after it. Neighbours do not notice.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local text = ("a"):rep(30)
  for _ = 1, 1000 do
    text:find(("a*"):rep(7) .. "b")
  end
end)
