-- skynet.kill takes a number, ":hex" or ".name"; the victim runs nothing more and unknown victims are ignored.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local function alive(address)
    return (pcall(skynet.call, address, "lua", "echo"))
  end

  local one, two, three = skynet.newservice "peer", skynet.newservice "peer", skynet.newservice "peer"
  skynet.name(".three", three)
  print("alive", alive(one), alive(two), alive(three))

  print("kill", select("#", skynet.kill(one)))
  print("number", alive(one))
  skynet.kill(skynet.address(two))
  print(":hex", alive(two))
  skynet.kill ".three"
  print(".name", alive(three))
  print("name forgotten", skynet.localname ".three", skynet.send(".three", "lua", "echo"))

  skynet.kill(one)
  skynet.kill ".nobody"
  skynet.kill ":fffff0"
  print "unknown ones are ignored"

  -- The launcher forgets a service killed by number at once.
  local list = skynet.call(".launcher", "lua", "LIST")
  print("listed", list[skynet.address(one)])

  -- No message of the victim is handled after the kill.
  local busy = skynet.newservice "exit_steps"
  skynet.kill(busy)
  skynet.sleep(10)
  skynet.abort()
end)
