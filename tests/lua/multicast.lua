-- A multicast channel delivers what anybody publishes to all subscribers, in order, until they leave.
local skynet = require "skynet"
require "skynet.manager"
local multicast = require "skynet.multicast"

skynet.start(function()
  local got = {}
  local channel = multicast.new {
    dispatch = function(_, _, ...)
      got[#got + 1] = table.concat({ ... }, ",")
    end,
  }
  local id = channel.channel
  print(math.type(id), tostring(channel) == ("[Multicast:%x]"):format(id))

  local readers = {}
  for i = 1, 2 do
    readers[i] = skynet.newservice "multicast_reader"
    print("reader joins", skynet.call(readers[i], "lua", "subscribe", id))
  end
  channel:publish "before we joined"
  channel:subscribe()
  channel:subscribe()
  channel:publish("one", 1)
  channel:publish("two", 2)
  skynet.sleep(5)
  print("here", table.concat(got, " "))
  for i = 1, 2 do
    print("reader", i, skynet.call(readers[i], "lua", "got"))
  end

  -- A service that does not subscribe can publish too.
  skynet.call(readers[1], "lua", "unsubscribe")
  skynet.call(readers[1], "lua", "publish", "from a reader")
  skynet.sleep(5)
  print("here", got[#got])
  for i = 1, 2 do
    print("reader", i, skynet.call(readers[i], "lua", "got"))
  end

  -- A dead subscriber does not disturb the others.
  skynet.kill(readers[2])
  channel:publish "after a death"
  skynet.sleep(5)
  print("here", got[#got])

  channel:unsubscribe()
  channel:publish "not heard"
  skynet.sleep(5)
  print("here", got[#got])
  channel:delete()
  print("deleted", (pcall(channel.publish, channel, "x")))
  skynet.abort()
end)
