-- skynet.launch starts a C service and gives its address at once, or nothing when there is no such service.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local function show(what, ...)
    print(what, select("#", ...), math.type((...)))
  end
  local address = skynet.launch("snlua", "peer", "a", "b")
  show("snlua", address)
  show("unknown", skynet.launch "nosuch")
  -- It has not run its start function yet: that is what newservice waits for.
  skynet.sleep(5)
  print(skynet.call(address, "lua", "arguments"))
  print("not in the launcher's list", skynet.call(".launcher", "lua", "LIST")[skynet.address(address)])
  skynet.kill(address)

  -- One string with blanks is the same as several arguments.
  address = skynet.launch "snlua peer one two"
  skynet.sleep(5)
  print(skynet.call(address, "lua", "arguments"))
  skynet.abort()
end)
