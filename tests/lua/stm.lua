-- skynet.stm shares one message from a writer with many readers: a reader sees each new version once.
local skynet = require "skynet"
require "skynet.manager"
local stm = require "skynet.stm"

skynet.start(function()
  local writer = stm.new(skynet.pack("first", 1))
  local copy = stm.copy(writer)
  print(type(writer), type(copy))
  local reader = stm.newcopy(copy)
  print(reader(skynet.unpack))
  print(reader(skynet.unpack))
  writer(skynet.pack("second", 2))
  writer(skynet.packstring("third", 3))
  print(reader(skynet.unpack))
  print(reader(function(message, size, userdata)
    print "this must not print"
  end, "userdata"))
  writer "plain text"
  print(reader(function(message, size, userdata)
    return skynet.tostring(message, size), userdata
  end, "userdata"))

  -- Another service reads what is written here.
  local other = skynet.newservice "stm_reader"
  skynet.call(other, "lua", "attach", stm.copy(writer))
  writer(skynet.pack "for the other service")
  print(skynet.call(other, "lua", "read"))
  print(skynet.call(other, "lua", "read"))

  -- Without its writer a copy reads no more.
  writer = nil
  collectgarbage()
  collectgarbage()
  print(reader(skynet.unpack))
  skynet.abort()
end)
