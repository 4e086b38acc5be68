-- Requests that are none, or too large, are refused over a real socket, and the server goes on.
local skynet = require "skynet"
require "skynet.manager"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

skynet.start(function()
  local port = loopback.listen(function(id)
    local code, url = httpd.read_request(sockethelper.readfunc(id), 100)
    if code then
      httpd.write_response(sockethelper.writefunc(id), code, url)
    end
  end)

  local function ask(name, ...)
    local answer = loopback.ask(port, ...)
    local code = answer:match("^HTTP/1.1 (%d+) ")
    print(name, code == "200" and answer or code and "refused with a status" or answer == "" and "closed")
  end
  -- Either will do: a status, or an end without one. A skynet closes where node says 400; and what
  -- was sent beyond a limit can make the end overtake the answer.
  local function refused(name, ...)
    print(name, loopback.ask(port, ...):find("^HTTP/1.1 200") == nil)
  end

  ask("good", "GET /good HTTP/1.1\r\nHost: x\r\n\r\n")
  local bytes = {}
  for byte in ("GET /b HTTP/1.1\r\nHost: x\r\n\r\n"):gmatch(".") do
    bytes[#bytes + 1] = byte
  end
  ask("byte by byte", table.unpack(bytes))
  ask("version", "GET / HTTP/3.0\r\n\r\n")
  ask("field", "GET / HTTP/1.1\r\nnonsense\r\n\r\n")
  refused("header too long", "GET / HTTP/1.1\r\n" .. ("a: b\r\n"):rep(2000))
  refused("line too long", ("x"):rep(20000))
  ask("body too long", "POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" .. ("x"):rep(101))
  ask("length huge", "POST / HTTP/1.1\r\nContent-Length: 9999999999999\r\n\r\n")
  ask("chunks too long", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" .. ("x"):rep(101))
  ask("coding", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n")
  ask("bad chunk", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
  ask("no line end behind a chunk", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n")
  refused("no request", "nonsense\r\n\r\n")
  refused("no version", "GET /\r\n\r\n")
  refused("no target", "GET HTTP/1.1\r\n\r\n")
  refused("another protocol", "\x16\x03\x01\r\n\r\n")
  refused("zero bytes", ("\0"):rep(100) .. "\r\n\r\n")
  ask("good again", "GET /good HTTP/1.1\r\nHost: x\r\n\r\n")
  skynet.abort()
end)
