-- Nothing, repeated for ages, which Lua's own function does one by one.
-- expect: nothing was made of nothing
local skynet = require "skynet"

skynet.start(function()
  assert(("").rep("", math.maxinteger) == "")
  assert(("").rep("", math.maxinteger, "") == "")
  assert(("").rep("", 3, "x") == "xx")
  assert(("ab"):rep(2, ",") == "ab,ab")
  skynet.error "nothing was made of nothing"
end)
