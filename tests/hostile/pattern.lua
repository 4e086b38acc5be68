-- A pattern that backtracks for ages, in a C function that looks at no hook.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local text = ("a"):rep(30)
  return text:find(("a*"):rep(12) .. "b")
end)
