-- socketdriver: datagrams, low priority, and what a datagram's sender looks like
local skynet = require "skynet"
local driver = require "skynet.socketdriver"
require "skynet.manager"

local UDP = 6
-- A skynet does not tell which free port it took.
local PORT = 17022
local waiting
local events = {}

skynet.register_protocol {
  name = "socket",
  id = skynet.PTYPE_SOCKET,
  unpack = driver.unpack,
  dispatch = function(_, _, kind, id, number, data, address)
    if type(data) == "userdata" then
      local text = skynet.tostring(data, number)
      driver.drop(data, number)
      data = text
    end
    if kind == UDP then
      events[#events + 1] = { id = id, data = data, address = address }
      if waiting then
        skynet.wakeup(waiting)
      end
    end
  end,
}

local function datagram()
  while #events == 0 do
    waiting = coroutine.running()
    skynet.wait(waiting)
    waiting = nil
  end
  return table.remove(events, 1)
end

skynet.start(function()
  local here = driver.udp("127.0.0.1", PORT)
  local there = driver.udp()
  driver.udp_connect(there, "127.0.0.1", PORT)
  print("send", driver.send(there, "first"))
  local got = datagram()
  print("got", got.id == here, got.data)
  local ip, from = driver.udp_address(got.address)
  print("from", ip, math.type(from))
  print("udp_send", driver.udp_send(here, got.address, "answer"))
  got = datagram()
  print("got", got.id == there, got.data)
  print("lsend", driver.lsend(there, "low"))
  print("got", datagram().data)
  driver.close(here)
  driver.close(there)
  skynet.abort()
end)
