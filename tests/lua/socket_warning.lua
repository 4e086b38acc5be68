-- warning: called when 1 MB and twice as much waits to be sent, and with 0 when it is out
-- since: 1.4
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

local function until_true(f)
  while not f() do
    skynet.sleep(1)
  end
end

local CHUNK = ("x"):rep(1 << 20)

skynet.start(function()
  local lid = socket.listen("127.0.0.1", 0)
  local warnings = {}
  local server
  socket.start(lid, function(id)
    socket.start(id)
    server = id
    socket.warning(id, function(which, kilobytes)
      assert(which == id)
      warnings[#warnings + 1] = kilobytes
    end)
  end)
  local id = socket.open("127.0.0.1", port_of(lid))
  until_true(function() return server end)
  socket.pause(id)
  local sent = 0
  repeat
    socket.write(server, CHUNK)
    sent = sent + #CHUNK
    skynet.sleep(1)
  until #warnings == 3
  print("each at least twice the one before", warnings[1] >= 1024, warnings[2] >= 2048, warnings[3] >= 4096)
  print("all arrives", #socket.read(id, sent) == sent)
  until_true(function() return #warnings == 4 end)
  print("then", warnings[4])
  skynet.abort()
end)
