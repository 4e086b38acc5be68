-- http.websocket echo: the connections are spread over 4 agent services.
-- config bench_nodelay = "true" turns Nagle off on every accepted connection.
-- RSS is answered with the memory of the process, and QUIT ends it.
local skynet = require "skynet"
local socket = require "skynet.socket"
local socketdriver = require "skynet.socketdriver"
local websocket = require "http.websocket"
require "skynet.manager"
local bench = require "bench"

local port = math.tointeger(skynet.getenv "bench_port") or 18703
local nodelay = skynet.getenv "bench_nodelay" == "true"

if ... == "agent" then
  local handle = {}

  function handle.message(id, msg)
    if msg == "QUIT" then
      skynet.abort()
    elseif msg == "RSS" then
      return websocket.write(id, tostring(bench.rss_kib()))
    end
    websocket.write(id, msg, "binary")
  end

  skynet.start(function()
    skynet.dispatch("lua", function(_, _, fd, addr)
      if nodelay then
        socketdriver.nodelay(fd)
      end
      local ok, err = websocket.accept(fd, handle, "ws", addr)
      if not ok then
        skynet.error(err)
      end
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
    socket.start(lfd, function(fd, addr)
      turn = turn % #agent + 1
      skynet.send(agent[turn], "lua", fd, addr)
    end)
    print("READY " .. port)
  end)
end
