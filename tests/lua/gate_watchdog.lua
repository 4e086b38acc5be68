-- since: 1.6
-- Watchdog, gate and agents: clients are reported, their packets go to the watchdog or to their agent, whose answers come back.
local skynet = require "skynet"
require "skynet.manager"
local netpack = require "skynet.netpack"
local driver = require "skynet.socketdriver"

local role = ...
if role == "agent" then
  local gate, fd
  skynet.register_protocol {
    name = "client", id = skynet.PTYPE_CLIENT,
    unpack = function(msg, size)
      return skynet.tostring(msg, size), size
    end,
    dispatch = function(session, source, text, size)
      skynet.ignoreret()
      print("agent", session == fd, source == skynet.self() or source == gate and "gate", #text == size, #text < 100 and text)
      driver.send(fd, netpack.pack(text:upper()))
    end,
  }
  skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
      if name == "serve" then
        gate, fd = ...
        skynet.retpack(skynet.call(gate, "lua", "forward", fd, skynet.self()))
      elseif name == "plain" then
        gate, fd = ...
        skynet.retpack(skynet.call(gate, "lua", "forward", fd))
      end
    end)
  end)
  return
end

local reports, waiting = {}, nil

--- The next report of the gate.
local function report()
  while not reports[1] do
    waiting = coroutine.running()
    skynet.wait(waiting)
    waiting = nil
  end
  return table.unpack(table.remove(reports, 1))
end

skynet.start(function()
  skynet.dispatch("lua", function(session, _, ...)
    assert(session == 0)
    reports[#reports + 1] = { ... }
    if waiting then
      skynet.wakeup(waiting)
    end
  end)
  local gate = skynet.newservice "gate"
  local address, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, nodelay = true })
  print("open", address, math.type(port))
  print("open again", (pcall(skynet.call, gate, "lua", "open", { port = 0 })))
  local client = skynet.newservice "wire_client"
  local function call(...)
    return skynet.call(client, "lua", ...)
  end

  local id = call("open", port)
  local kind, what, fd, peer = report()
  print(kind, what, math.type(fd), peer:match "^127%.0%.0%.1:%d+$" ~= nil)

  -- What is sent before the gate reads waits. The watchdog gets strings.
  call("send", id, "to the watchdog")
  print("accept", skynet.call(gate, "lua", "accept", fd))
  print(select(4, report()))
  call("send", id, "one", "", "three")
  for _ = 1, 3 do
    local _, name, from, text = report()
    print(name, from == fd, #text, text)
  end

  -- The agent gets messages of type client.
  local agent = skynet.newservice(SERVICE_NAME, "agent")
  print("forward", skynet.call(agent, "lua", "serve", gate, fd))
  call("send", id, "hello", "agent")
  print("client", call("receive", id), call("receive", id))
  print("forward plainly", skynet.call(agent, "lua", "plain", gate, fd))
  call("send", id, "no source")
  print("client", call("receive", id))
  local long = ("x"):rep(65535)
  call("send", id, long)
  print("longest", call("receive", id) == long:upper())
  print("too long", (pcall(netpack.pack, long .. "x")))

  -- The client leaves; a client is kicked; a client that is not there cannot be served.
  call("close", id)
  local _, name, gone = report()
  print(name, gone == fd)
  print("forward to one who left", (pcall(skynet.call, agent, "lua", "plain", gate, fd)))
  local second = call("open", port)
  local _, _, fd2 = report()
  skynet.call(gate, "lua", "accept", fd2)
  skynet.call(gate, "lua", "kick", fd2)
  print("kicked", (call("rest", second) or "") == "")
  local _, last, from = report()
  print(last, from == fd2)
  print("unknown command", (pcall(skynet.call, gate, "lua", "nonsense")))
  print("close", skynet.call(gate, "lua", "close"))
  skynet.abort()
end)
