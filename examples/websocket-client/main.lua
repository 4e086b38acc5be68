-- A WebSocket client: it says what it gets, and ends both ways there are.
local skynet = require "skynet"
require "skynet.manager"
local websocket = require "http.websocket"

local url = skynet.getenv "url"

skynet.start(function()
  -- Gives a number that stands for the connection, or raises why there is none.
  local id = websocket.connect(url)
  print("greeting:", websocket.read(id))
  for _, text in ipairs { "one", "two", "three" } do
    websocket.write(id, text)
    print("echo:", websocket.read(id))
  end

  -- The server closes: `read` gives false and what the close frame holds, two bytes of code and the reason.
  -- (A connection that is lost raises an error instead.)
  websocket.write(id, "bye")
  local message, payload = websocket.read(id)
  print("closed:", message, (">I2"):unpack(payload), payload:sub(3))

  -- The client closes.
  id = websocket.connect(url)
  print("greeting:", websocket.read(id))
  websocket.close(id, 1000, "that is all")
  skynet.abort()
end)
