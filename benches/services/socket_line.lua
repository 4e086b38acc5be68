-- line echo over skynet.socket: one service, one coroutine per connection
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local port = tonumber(skynet.getenv "bench_port") or 18701

skynet.start(function()
  local lfd = socket.listen("127.0.0.1", port)
  socket.start(lfd, function(fd)
    socket.start(fd)
    while true do
      local line = socket.readline(fd)
      if not line then
        break
      elseif line == "QUIT" then
        skynet.abort()
      end
      socket.write(fd, line .. "\n")
    end
    socket.close(fd)
  end)
  print("READY " .. port)
end)
