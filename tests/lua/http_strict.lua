-- since: 1.8.9
-- What a skynet lets through or drops and node does not: lengths that two readers may read differently, line ends
-- without a carriage return, requests sent one behind the other, line breaks smuggled into a head.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

local function answer(write, code, ...)
  return httpd.write_response(write, code, table.concat({ ... }, " "), { server = "here" })
end

skynet.start(function()
  local port = loopback.listen(function(id)
    local code, url, method, header, body = httpd.read_request(sockethelper.readfunc(id), 1000)
    answer(sockethelper.writefunc(id), code or 999, tostring(url), method, body)
  end)
  local function ask(name, ...)
    local reply = loopback.ask(port, ...)
    print(name, reply:match("^HTTP/1.1 (%d+)"), reply:match("\r\n\r\n(.*)$"))
  end

  local post = "POST /p HTTP/1.1\r\nHost: x\r\n"
  for _, length in ipairs { "-5", "+5", "0x5", "5.0", "1e1", "five", "5, 5", "5 5", "", "99999999999999999999" } do
    ask(("length %q"):format(length), post .. "Content-Length: " .. length .. "\r\n\r\nhello")
  end
  ask("two lengths", post .. "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
  ask("length with blanks around", post .. "Content-Length: \t5 \r\n\r\nhello")
  ask("no length", post .. "\r\n")
  for _, size in ipairs { "-5", "0x5", " 5", "", "five", "5;a\n", "10000000000000000" } do
    ask(("chunk %q"):format(size), post .. "Transfer-Encoding: chunked\r\n\r\n" .. size .. "\r\nhello\r\n0\r\n\r\n")
  end
  ask("chunk extension", post .. "Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0 \r\n\r\n")
  ask("bad trailer", post .. "Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n")
  ask("trailing length", post .. "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nContent-Length: 9\r\nHost: y\r\n\r\n")
  ask("bare line feeds", "GET /lf HTTP/1.1\nHost: x\n\n")
  ask("empty lines first", "\r\n\r\nGET /late HTTP/1.1\r\nHost: x\r\n\r\n")
  ask("method", "M-SEARCH * HTTP/1.1\r\n\r\n")
  ask("continued by a blank", "GET / HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n")
  ask("continued list", "GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\t3\r\n\r\n")
  ask("blank before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n")
  ask("zero byte", "GET / HTTP/1.1\r\nA: \0\r\n\r\n")
  ask("bare carriage return", "GET / HTTP/1.1\r\nA: 1\rB: 2\r\n\r\n")
  ask("nonsense", "nonsense\r\n\r\n")
  ask("fields", "GET / HTTP/1.1\r\n" .. ("a:\r\n"):rep(257) .. "\r\n")

  -- One connection, many requests, sent at once or with the next one's head cut through.
  local ended, good, all_ended = 0, true, {}
  local several = loopback.listen(function(id)
    while true do
      -- Each with a reader of its own, as a script may do it.
      local code, url, method, _, body = httpd.read_request(sockethelper.readfunc(id), 1000)
      if code ~= 200 then
        ended = ended + 1
        good = good and code == nil and url == sockethelper.socket_error
        if ended == 7 then
          skynet.wakeup(all_ended)
        end
        return
      end
      answer(sockethelper.writefunc(id), 200, method, url, body)
    end
  end)
  local requests = {
    "GET /1 HTTP/1.1\r\n\r\n",
    "POST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n",
    "GET /4 HTTP/1.1\r\n\r\n",
  }
  local all = table.concat(requests)
  for _, cut in ipairs { 0, 1, 20, 30, 70, 130, #all - 1 } do
    local id = socket.open("127.0.0.1", several)
    socket.write(id, all:sub(1, cut))
    socket.write(id, all:sub(cut + 1))
    local got = {}
    for _ = 1, #requests do
      local head = socket.readline(id, "\r\n\r\n")
      got[#got + 1] = socket.read(id, tonumber(head:match("content%-length: (%d+)")))
    end
    print(cut, table.concat(got, "; "))
    socket.close(id)
  end
  if ended < 7 then
    skynet.wait(all_ended)
  end
  print("connections ended", good)

  -- What follows a request that changes the protocol is not lost.
  local upgraded = loopback.listen(function(id)
    local read = sockethelper.readfunc(id)
    httpd.read_request(read)
    print("behind the request", read(5), sockethelper.readfunc(id)())
  end)
  print(loopback.ask(upgraded, "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nframe!") == "")

  -- What was there before the socket's own bytes is read first, once.
  local digits = loopback.listen(function(id) socket.write(id, "0123456789") end)
  local read = sockethelper.readfunc(socket.open("127.0.0.1", digits), "abcdef")
  print(read(2), read(6), read(2), read(1))

  -- A head holds the lines that the caller meant, no others.
  local sink = {}
  local function write(bytes) sink[#sink + 1] = bytes end
  print(httpd.write_response(write, 200, "x", { a = "1\r\nb: 2" }))
  print(httpd.write_response(write, 200, "x", { ["a\nb"] = "1" }))
  print(#sink)
  print(httpd.write_response(write, 200, "xyz", { ["Content-Length"] = 1 }), sink[1]:lower():match("content%-length: %d+"))
  print(pcall(httpc.get, "127.0.0.1:" .. port, "/ HTTP/1.1\r\nA: b"))
  print(pcall(httpc.get, "127.0.0.1:" .. port, "/", nil, { a = "1\nb: 2" }))
  print(pcall(httpc.get, "ftp://127.0.0.1", "/"))
  print(pcall(httpc.get, "::1", "/"))
  skynet.abort()
end)
