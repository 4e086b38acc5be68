-- connections that come and go: no socket is left, and the last of them works as the first
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
  local before = #socket.netstat()
  local lid = socket.listen("127.0.0.1", 0, 512)
  local served = 0
  socket.start(lid, function(id)
    socket.start(id)
    local line = socket.readline(id)
    socket.write(id, line .. line)
    socket.close(id)
    served = served + 1
  end)
  local port = port_of(lid)
  local good, running = 0, 10
  local main = coroutine.running()
  for _ = 1, running do
    skynet.fork(function()
      for _ = 1, 500 do
        local id = assert(socket.open("127.0.0.1", port))
        socket.write(id, "ab\n")
        local answer = socket.read(id, 4)
        good = good + (answer == "abab" and 1 or 0)
        socket.close(id)
      end
      running = running - 1
      if running == 0 then
        skynet.wakeup(main)
      end
    end)
  end
  skynet.wait(main)
  while served < 5000 do
    skynet.sleep(1)
  end
  -- The end of a connection that the peer has closed first is not waited for by socket.close.
  while #socket.netstat() - before > 1 do
    skynet.sleep(1)
  end
  print(good, served)
  socket.close(lid)
  print(#socket.netstat() - before)
  skynet.abort()
end)
