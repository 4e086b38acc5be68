-- since: 1.6
-- When the peer closes, onclose is called before a read fails.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"

skynet.start(function()
  local listener, _, port = socket.listen("127.0.0.1", 0)
  local change, stage = {}, nil
  local function enter(new)
    stage = new
    skynet.wakeup(change)
  end
  local function wait_for(wanted)
    while stage ~= wanted do
      skynet.wait(change)
    end
  end
  local serve
  socket.start(listener, function(id)
    skynet.fork(serve, id)
  end)
  local function try(name, read, bytes)
    function serve(id)
      socket.start(id)
      local steps = {}
      socket.onclose(id, function(which)
        steps[#steps + 1] = which == id and "onclose"
      end)
      enter "reading"
      local line, rest = read(id)
      steps[#steps + 1] = ("%s %s"):format(line, rest)
      socket.close(id)
      print(name, table.concat(steps, ", "))
      enter "ended"
    end
    local id = socket.open("127.0.0.1", port)
    wait_for "reading"
    if bytes then
      socket.write(id, bytes)
    end
    socket.close(id)
    wait_for "ended"
  end
  try("read", function(id)
    return socket.read(id, 10)
  end)
  try("half a line", socket.readline, "half")
  try("lines", function(id)
    local lines = {}
    while true do
      local line, rest = socket.readline(id)
      if not line then
        return table.concat(lines, " "), rest
      end
      lines[#lines + 1] = line
    end
  end, "one\ntwo\nthree\nrest")
  try("all", socket.readall, "all")
  try("block", socket.block)
  skynet.abort()
end)
