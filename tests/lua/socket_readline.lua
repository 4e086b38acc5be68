-- readline: separators of one and of several bytes, however the bytes arrive
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

local text = "first\nsecond\n\nthird\r\nfourth##fifth#\n#sixth##rest"

local function lines(port, step)
  local id = socket.open("127.0.0.1", port)
  socket.write(id, string.char(step))
  local got = {}
  for _ = 1, 3 do
    got[#got + 1] = socket.readline(id)
  end
  got[#got + 1] = socket.readline(id, "\r\n")
  got[#got + 1] = socket.readline(id, "##")
  got[#got + 1] = socket.readline(id, "##")
  local line, rest = socket.readline(id, "##")
  got[#got + 1] = tostring(line)
  got[#got + 1] = rest
  socket.close(id)
  for index, part in ipairs(got) do
    got[index] = string.format("%q", part):gsub("\n", "n")
  end
  return table.concat(got, " ")
end

skynet.start(function()
  local lid = socket.listen("127.0.0.1", 0)
  socket.start(lid, function(id)
    socket.start(id)
    local step = socket.read(id, 1):byte()
    for from = 1, #text, step do
      socket.write(id, text:sub(from, from + step - 1))
      skynet.sleep(0)
    end
    socket.close(id)
  end)
  local port = port_of(lid)
  print(lines(port, 200))
  local same = 0
  for step = 1, #text do
    same = same + (lines(port, step) == lines(port, 200) and 1 or 0)
  end
  print(same == #text)
  skynet.abort()
end)
