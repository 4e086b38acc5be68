-- pause: nothing arrives until somebody waits for it
-- since: 1.4
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

skynet.start(function()
  local lid, _, port = socket.listen("127.0.0.1", 0)
  print("port", math.type(port))
  socket.start(lid, function(id)
    socket.start(id)
    for i = 1, 100 do
      socket.write(id, ("%05d"):format(i):rep(1000))
    end
    socket.close(id)
  end)
  local id = socket.open("127.0.0.1", port)
  socket.pause(id)
  socket.pause(id)
  skynet.sleep(5)
  for i = 1, 100 do
    assert(socket.read(id, 5000) == ("%05d"):format(i):rep(1000))
  end
  print("end", socket.read(id, 1))
  socket.close(id)
  skynet.abort()
end)
