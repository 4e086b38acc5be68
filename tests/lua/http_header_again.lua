-- A table for the fields of responses may be used again: the fields are added, and each body is its own response's.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

skynet.start(function()
  local port = loopback.listen(function(id)
    local _, path = httpd.read_request(sockethelper.readfunc(id))
    local body = path:sub(2)
    socket.write(id, ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Path: %s\r\n\r\n%s"):format(#body, path, body))
  end)
  local host = "127.0.0.1:" .. port
  local fields = {}
  print(httpc.get(host, "/first", fields))
  print(fields["content-length"], fields["x-path"])
  print(httpc.get(host, "/the-second", fields))
  print(table.concat(fields["content-length"], " "), table.concat(fields["x-path"], " "))
  print(httpc.get(host, "/", fields))
  print(httpc.get(host, "/first", fields))
  print(table.concat(fields["content-length"], " "))
  skynet.abort()
end)
