-- socketdriver: the events of a listening socket, of both ends, and of failures
local skynet = require "skynet"
local driver = require "skynet.socketdriver"
require "skynet.manager"

local waiting
local events = {}
local NAMES = { "data", "connect", "close", "accept", "error", "udp", "warning" }

skynet.register_protocol {
  name = "socket",
  id = skynet.PTYPE_SOCKET,
  unpack = driver.unpack,
  dispatch = function(_, _, kind, id, number, data)
    if type(data) == "userdata" then
      local text = skynet.tostring(data, number)
      driver.drop(data, number)
      data = text
    end
    events[#events + 1] = { kind = NAMES[kind], id = id, number = number, data = data }
    if waiting then
      skynet.wakeup(waiting)
    end
  end,
}

local function event(id, kind)
  while true do
    for index, found in ipairs(events) do
      if found.id == id and found.kind == kind then
        table.remove(events, index)
        return found
      end
    end
    waiting = coroutine.running()
    skynet.wait(waiting)
    waiting = nil
  end
end

local function port_of(id)
  for _, info in ipairs(driver.info()) do
    if info.id == id then
      return tonumber(info.sock:match ":(%d+)$")
    end
  end
end

skynet.start(function()
  local lid = driver.listen("127.0.0.1", 0)
  driver.start(lid)
  repeat
    local started = event(lid, "connect")
  until started.data == "start"
  local id = driver.connect("127.0.0.1", port_of(lid))
  print("connect", event(id, "connect").data)
  print("sent", driver.send(id, "early "))
  local accepted = event(lid, "accept")
  print("accept", accepted.data:match "^127%.0%.0%.1:%d+$" ~= nil)
  local peer = accepted.number
  driver.start(peer)
  print("start", event(peer, "connect").data)
  driver.nodelay(peer)
  driver.send(id, "later")
  local text = ""
  while #text < 11 do
    local data = event(peer, "data")
    assert(data.number == #data.data)
    text = text .. data.data
  end
  print("data", text)
  driver.close(id)
  event(id, "close")
  event(peer, "close")
  driver.close(peer)
  print "closed"
  driver.close(lid)
  event(lid, "close")
  local nobody = driver.connect("127.0.0.1", 1)
  print(event(nobody, "error").data)
  driver.start(12345678)
  print(event(12345678, "error").data)
  print(driver.send(12345678, "x"))
  skynet.abort()
end)
