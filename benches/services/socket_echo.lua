-- raw echo over skynet.socket: the connections are spread over 4 agent services
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local port = tonumber(skynet.getenv "bench_port") or 18702

if ... == "agent" then
  local function echo(fd)
    socket.start(fd)
    while true do
      local data = socket.read(fd)
      if not data then
        break
      elseif data == "QUIT\n" then
        skynet.abort()
      end
      socket.write(fd, data)
    end
    socket.close(fd)
  end

  skynet.start(function()
    skynet.dispatch("lua", function(_, _, fd)
      skynet.fork(echo, fd)
    end)
  end)
else
  skynet.start(function()
    local agent = {}
    for i = 1, 4 do
      agent[i] = skynet.newservice(SERVICE_NAME, "agent")
    end
    local lfd = socket.listen("127.0.0.1", port)
    local turn = 0
    socket.start(lfd, function(fd)
      turn = turn % #agent + 1
      skynet.send(agent[turn], "lua", fd)
    end)
    print("READY " .. port)
  end)
end
