-- since: 1.8
-- http.websocket at both ends: kinds, sizes, the callbacks, closing from the client
local skynet = require "skynet"
local socket = require "skynet.socket"
local websocket = require "http.websocket"
require "skynet.manager"

if ... == "agent" then
  local log = {}
  local handle = {}
  function handle.connect(id) log[#log + 1] = "connect" end
  function handle.handshake(id, header, url)
    log[#log + 1] = ("handshake %s %s"):format(url, header["x-room"])
  end
  function handle.message(id, message)
    log[#log + 1] = #message
    websocket.write(id, message, "binary")
  end
  function handle.close(id, code, reason)
    log[#log + 1] = ("close %s %s"):format(code, reason)
  end
  skynet.start(function()
    skynet.dispatch("lua", function(_, _, id, addr)
      local ok, err = websocket.accept(id, handle, "ws", addr)
      skynet.retpack(ok, err, log)
    end)
  end)
else
  skynet.start(function()
    local agent = skynet.newservice(SERVICE_NAME, "agent")
    local done = {}
    local lid, _, port = socket.listen("127.0.0.1", 0)
    socket.start(lid, function(id, addr)
      done.ok, done.err, done.log = skynet.call(agent, "lua", id, addr)
      skynet.wakeup(done)
    end)
    local id = websocket.connect(("ws://127.0.0.1:%d/room?x=1"):format(port), { ["X-Room"] = "red" })
    print("connected", math.type(id), websocket.addrinfo(id) == "127.0.0.1:" .. port)
    for _, size in ipairs { 0, 1, 125, 126, 127, 65535, 65536, 200000 } do
      local text = ("x"):rep(size)
      websocket.write(id, text, size % 2 == 0 and "binary" or "text", 0x12345678)
      print(size, websocket.read(id) == text)
    end
    websocket.close(id, 1000, "bye")
    print("closed", (pcall(websocket.write, id, "x")))
    if not done.log then skynet.wait(done) end
    print("accept", done.ok, done.err)
    print(table.concat(done.log, "\n"))
    skynet.abort()
  end)
end
