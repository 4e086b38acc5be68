-- onclose: called once when the socket closes, from either side
-- since: 1.6
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

skynet.start(function()
  local lid, _, port = socket.listen("127.0.0.1", 0)
  local peer
  socket.start(lid, function(id)
    socket.start(id)
    peer = id
  end)
  local main = coroutine.running()
  local function opened(name)
    peer = nil
    local id = socket.open("127.0.0.1", port)
    socket.onclose(id, function(which)
      print(name, which == id)
      skynet.wakeup(main)
    end)
    while not peer do
      skynet.sleep(1)
    end
    return id
  end

  local id = opened "closed by the peer"
  socket.close(peer)
  skynet.wait(main)
  socket.close(id)

  id = opened "closed here"
  skynet.fork(socket.close, id)
  skynet.wait(main)
  skynet.abort()
end)
