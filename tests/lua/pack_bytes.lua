-- packstring writes skynet's byte format: type and cookie in one header byte, shortest integers, floats of 8 bytes.
local skynet = require "skynet"
require "skynet.manager"

local function show(what, ...)
  local bytes = skynet.packstring(...):gsub(".", function(c)
    return ("%02X "):format(c:byte())
  end)
  print(what, (bytes:gsub(" $", "")))
end

skynet.start(function()
  show("nothing")
  show("nil", nil)
  show("false true", false, true)
  show("0", 0)
  show("1 255", 1, 255)
  show("256 65535", 256, 65535)
  show("65536", 65536)
  show("2147483647", 2147483647)
  show("2147483648", 2147483648)
  show("-1", -1)
  show("-2147483648", -2147483648)
  show("-2147483649", -2147483649)
  show("mininteger", math.mininteger)
  show("1.0", 1.0)
  show("-1.5", -1.5)
  show("inf", math.huge)
  show("empty string", "")
  show("a", "a")
  show("31 bytes", ("a"):rep(31))
  show("32 bytes", ("a"):rep(32))
  print("65535 bytes", skynet.packstring(("a"):rep(65535)):byte(1, 4))
  print("65536 bytes", skynet.packstring(("a"):rep(65536)):byte(1, 6))
  show("{}", {})
  show("{1,2}", { 1, 2 })
  show("{nil,2}", { [2] = 2 })
  show("{x=1}", { x = 1 })
  show("{1,x=true}", { 1, x = true })
  show("{[0]=1}", { [0] = 1 })
  show("{[1.5]=1}", { [1.5] = 1 })
  show("{{}}", { {} })
  local list = {}
  for i = 1, 30 do
    list[i] = 0
  end
  show("30 elements", list)
  list[31] = 0
  show("31 elements", list)
  show("several", "SET", "a", 1)
  skynet.abort()
end)
