-- since: 1.6
-- http.internal: the parts that other protocols are built on; and what http.sockethelper gives them.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local internal = require "http.internal"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

-- A reader of a connection on which the pieces come, and that ends then.
local function reader(...)
  local pieces = { ... }
  return function(wanted)
    local piece = table.remove(pieces, 1) or error(sockethelper.socket_error)
    while wanted and #piece < wanted do
      piece = piece .. (table.remove(pieces, 1) or error(sockethelper.socket_error))
    end
    if wanted and #piece > wanted then
      table.insert(pieces, 1, piece:sub(wanted + 1))
      piece = piece:sub(1, wanted)
    end
    return piece
  end
end

skynet.start(function()
  local lines = {}
  print(internal.recvheader(reader("GET / HT", "TP/1.1\r\nA: b\r\n\r", "\nrest"), lines, ""))
  print(#lines, lines[1], lines[2])
  print(internal.recvheader(reader(), {}, "\r\nrest"))
  print(("%q"):format(internal.recvheader(reader("\r\n"), {}, "")), (internal.recvheader(reader(("x"):rep(9000)), {}, "")))
  local header = internal.parseheader({ "start", "A: 1", "b:2", "a: 3", "C: x" }, 2, {})
  print(header.a[1], header.a[2], header.b, header.c)
  print(internal.parseheader({ "nonsense" }, 1, {}), next(internal.parseheader({}, 1, {})))
  local known = { x = "0" }
  local body, fields = internal.recvchunkedbody(reader("3\r\nab", "c\r\n", "0\r\nX: 1\r\n\r\n"), nil, known, "")
  print(body, fields == known, known.x[1], known.x[2])
  print((internal.recvchunkedbody(reader(), nil, {}, "x\r\n")), (internal.recvchunkedbody(reader(), 2, {}, "3\r\nabc\r\n0\r\n\r\n")))

  local written = {}
  local interface = {
    write = function(bytes) written[#written + 1] = bytes end,
    read = reader("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nframe"),
  }
  local received = {}
  local status, rest, got = internal.request(interface, "GET", "name", "/", received, { ["X-Y"] = "z" })
  print(status, rest, got == received, received.upgrade)
  local sent = table.concat(written):lower()
  print(sent:match("^[^\r]+"), sent:find("\r\nhost:name\r\n", 1, true) ~= nil, sent:find("\r\nx-y:z\r\n", 1, true) ~= nil)

  local port = loopback.listen(function(id)
    socket.write(id, "0123456789")
  end)
  local fd = sockethelper.connect("127.0.0.1", port, 100)
  local read = sockethelper.readfunc(fd, "abcdef")
  print(read(2), read(4), read(2))
  print(sockethelper.readall(fd))
  local ok, err = pcall(read, 1)
  print(ok, err == sockethelper.socket_error, tostring(err):find("^%[Socket Error%]"))
  print(tostring(sockethelper.socket_error("reason")), sockethelper.socket_error("x") == sockethelper.socket_error)
  sockethelper.close(fd)
  print(pcall(sockethelper.readfunc(fd, "abc")))
  skynet.abort()
end)
