-- queryservice blocks until somebody starts the service, each waiting caller getting its address.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local queried = {}
  for i = 1, 2 do
    skynet.fork(function()
      queried[i] = skynet.queryservice "counted"
      print("query", i, "answered")
    end)
  end
  skynet.sleep(5)
  print "nothing yet"
  local address = skynet.uniqueservice("counted", "x")
  skynet.sleep(5)
  print(queried[1] == address, queried[2] == address)

  -- What the manager says of its services.
  local list = skynet.call(".service", "lua", "LIST")
  print("LIST", list.counted == skynet.address(address))
  skynet.fork(skynet.queryservice, "nobody")
  skynet.sleep(5)
  list = skynet.call(".service", "lua", "LIST")
  print("waiting", list.nobody:match "^Querying:", list.nobody:find(skynet.address(skynet.self()), 1, true) ~= nil)
  print("unknown command", skynet.call(".service", "lua", "NOSUCH"))
  skynet.abort()
end)
