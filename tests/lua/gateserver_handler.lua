-- since: 1.6
-- A gate of one's own: packets cut in any way, a handler that blocks, clients beyond the limit, one that does not read.
local skynet = require "skynet"
require "skynet.manager"

local role, main = ...
local FLOOD = 400 -- packets
if role == "gate" then
  local gateserver = require "snax.gateserver"
  local netpack = require "skynet.netpack"
  local driver = require "skynet.socketdriver"
  main = tonumber(main)
  local blocked
  local handler = { embed = true }

  local function tell(...)
    skynet.send(main, "lua", ...)
  end

  function handler.open(source, conf)
    assert(source == main)
    return conf.port, conf.note
  end

  function handler.connect(fd, address)
    tell("connect", fd, address:match "^127%.0%.0%.1:%d+$" ~= nil)
    gateserver.openclient(fd)
  end

  function handler.message(fd, message, size)
    local text = netpack.tostring(message, size)
    if text == "block" then
      blocked = {}
      tell("blocked", fd)
      skynet.wait(blocked)
      tell("unblocked", fd)
    elseif text == "leave" then
      gateserver.closeclient(fd)
      gateserver.closeclient(fd)
    elseif text == "echo" then
      driver.send(fd, netpack.pack(text))
    elseif text == "flood" then
      -- More than the peer, which does not read, and the system in between can take.
      local packet = ("x"):rep(65535)
      for _ = 1, FLOOD do
        driver.send(fd, netpack.pack(packet))
      end
    else
      tell("message", fd, text)
    end
  end

  function handler.disconnect(fd)
    tell("disconnect", fd)
  end

  local warned
  function handler.warning(fd, kilobytes)
    if not warned then
      warned = true
      tell("warning", fd, math.type(kilobytes) == "integer" and kilobytes >= 1024)
    elseif kilobytes == 0 then
      tell("drained", fd)
    end
  end

  function handler.command(name, source, ...)
    if name == "unblock" then
      skynet.wakeup(blocked)
    end
    return name, source == main, ...
  end

  gateserver.start(handler)
  skynet.start(function() end)
  return
end

local events, waiting = {}, nil

local function event()
  while not events[1] do
    waiting = coroutine.running()
    skynet.wait(waiting)
    waiting = nil
  end
  return table.unpack(table.remove(events, 1))
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, ...)
    events[#events + 1] = { ... }
    if waiting then
      skynet.wakeup(waiting)
    end
  end)
  local gate = skynet.newservice(SERVICE_NAME, "gate", skynet.self())
  local port, note = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, maxclient = 3, note = "mine" })
  print("open", math.type(port), note)
  local client = skynet.newservice "wire_client"
  local function call(...)
    return skynet.call(client, "lua", ...)
  end
  local first = call("open", port)
  local what, fd, address = event()
  print(what, math.type(fd), address)
  local function show(count)
    local list = {}
    for i = 1, count do
      local name, from, text = event()
      assert(from == fd)
      list[i] = name .. (text and " " .. (#text < 20 and text or #text) or "")
    end
    print(table.concat(list, ", "))
  end

  -- The bytes of each write have arrived when the packet they end has been reported.
  call("write", first, "\0\3abc", "\0")
  show(1)
  call("write", first, "\2de", "\0\2f")
  show(1)
  call("write", first, "g\0\0", "\0\1h\1\0", ("y"):rep(100))
  show(3)
  call("write", first, ("y"):rep(156))
  show(1)
  for byte in ("\0\4byte"):gmatch "." do
    call("write", first, byte)
  end
  show(1)

  -- A handler that waits holds up no other packet.
  call("send", first, "before", "block", "after", "and after")
  show(4)
  print("unblock", skynet.call(gate, "lua", "unblock", 1, nil, "x"))
  show(1)

  -- Clients beyond the limit are dropped at once; when one leaves there is room again.
  -- (A genuine skynet allows one less than its limit.)
  local function accepted(id)
    call("send", id, "echo")
    return call("receive", id) == "echo"
  end
  local others = {}
  repeat
    local id = call("open", port)
    table.insert(others, id)
  until not accepted(id)
  print("dropped", #others == 3 or #others == 2)
  call("send", others[1], "leave")
  print("left", call("receive", others[1]))
  local last
  repeat
    last = event()
  until last == "disconnect"
  print("room", accepted(call("open", port)))

  -- A client that does not read: a warning, and word when all is out.
  call("send", first, "flood")
  local function wait_for(name)
    local kind, from, value
    repeat
      kind, from, value = event()
    until kind == name and from == fd
    return kind, value
  end
  print(wait_for "warning")
  print("read", call("skip", first, FLOOD * 65537))
  print(wait_for "drained")

  -- Who leaves is reported once, whoever closes.
  call("send", first, "leave", "too late")
  print("rest", call("rest", first) or "")
  print(wait_for "disconnect")
  print("close", skynet.call(gate, "lua", "close"))
  skynet.abort()
end)
