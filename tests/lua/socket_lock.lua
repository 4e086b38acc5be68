-- readall and block beside other coroutines; lock and unlock pass the right to write on
-- until: 1.5
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local function port_of(id)
  for _, info in ipairs(socket.netstat()) do
    if info.id == id then
      return tonumber(info.sock:match ":(%d+)$")
    end
  end
end

skynet.start(function()
  local lid = socket.listen("127.0.0.1", 0)
  local main = coroutine.running()
  socket.start(lid, function(id)
    socket.start(id)
    print(socket.readall(id))
    socket.close(id)
    skynet.wakeup(main)
  end)
  local id = socket.open("127.0.0.1", port_of(lid))
  local running = 3
  for i = 1, 3 do
    skynet.fork(function()
      socket.lock(id)
      for part = 1, 3 do
        socket.write(id, ("%d.%d "):format(i, part))
        skynet.yield()
      end
      socket.unlock(id)
      running = running - 1
      if running == 0 then
        socket.close(id)
      end
    end)
  end
  skynet.wait(main)
  print(pcall(socket.unlock, id) == false)
  skynet.abort()
end)
