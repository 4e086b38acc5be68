-- since: 1.5
-- A module loaded from a coroutine may wait; others requiring it meanwhile wait too and get the same value.
local skynet = require "skynet"
require "skynet.manager"

package.path = "tests/lua/modules/?.lua;" .. package.path

local function text(ok, message)
  return ok, (tostring(message):gsub("\n.*", ""):gsub("^.*:%d+: ", ""))
end

skynet.start(function()
  local values = {}
  for i = 1, 3 do
    skynet.fork(function()
      values[i] = require "waits"
      print("got", i, values[i].ready)
    end)
  end
  skynet.sleep(20)
  print(values[1] == values[2], values[2] == values[3], package.loaded.waits == values[1])

  package.loaded.waits = nil
  print("nested", require "nested", package.loaded.nested)

  -- A failure reaches the first with its text, those waiting with another; it is not remembered.
  for i = 1, 2 do
    skynet.fork(function()
      local ok, message = text(pcall(require, "raises"))
      print("raises", i, ok, message)
    end)
  end
  skynet.sleep(10)
  print("again", text(pcall(require, "raises")))
  print("circular", text(pcall(require, "circular")))
  skynet.abort()
end)
