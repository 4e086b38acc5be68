-- since: 1.8.9
-- httpc keeps connections when it is told to, sends again only what may be sent again, and takes limits for a call.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

package.path = "tests/lua/modules/?.lua;" .. package.path
local loopback = require "loopback"

local connections, requests = 0, 0
local behaviour = {}

skynet.start(function()
  local function serve(id)
    connections = connections + 1
    local number, served = connections, 0
    local read, write = sockethelper.readfunc(id), sockethelper.writefunc(id)
    while true do
      local code, path, method = httpd.read_request(read)
      if code ~= 200 then
        return
      end
      requests = requests + 1
      served = served + 1
      local special = behaviour[path]
      if special then
        if special(id, write, served) then
          return
        end
      else
        httpd.write_response(write, 200, ("%s %s on %d"):format(method, path, number))
      end
    end
  end
  local function server()
    return "127.0.0.1:" .. loopback.listen(serve)
  end
  local host = server()
  local function count(name, f, ...)
    connections, requests = 0, 0
    local result = table.pack(pcall(f, ...))
    for i = 1, result.n do
      if result[i] == sockethelper.socket_error then
        result[i] = "socket error"
      elseif type(result[i]) == "string" then
        result[i] = result[i]:gsub("127.0.0.1:%d+", "HOST"):gsub("^.-%.lua:%d+: ", "")
      end
    end
    print(name, connections .. " connections", requests .. " requests", table.unpack(result, 1, result.n))
  end
  local function twice(path, options)
    httpc.get(host, path, nil, nil, nil, options)
    return httpc.get(host, path, nil, nil, nil, options)
  end

  count("by default", twice, "/a")
  count("by a call", twice, "/a", { keepalive = 60 })
  httpc.keepalive = 60
  count("by the module", twice, "/a")
  count("but not this call", twice, "/a", { keepalive = false })
  count("head and body", function()
    httpc.head(host, "/a")
    httpc.post(host, "/a", { x = 1 })
    return httpc.get(host, "/b")
  end)

  -- Answers behind which a connection cannot be used again.
  behaviour["/close"] = function(_, write) httpd.write_response(write, 200, "x", { Connection = "close" }) end
  behaviour["/old"] = function(_, write) write("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx") end
  behaviour["/more"] = function(_, write) write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz") end
  behaviour["/until"] = function(_, write) write("HTTP/1.1 200 OK\r\n\r\nx") return true end
  behaviour["/chunks"] = function(_, write)
    local left = 3
    httpd.write_response(write, 200, function()
      left = left - 1
      return left > 0 and "x" or nil
    end)
  end
  for _, path in ipairs { "/close", "/old", "/more", "/until", "/chunks" } do
    count(path, function()
      local _, body = twice(path)
      return body, (select(2, httpc.get(host, "/after"))):match("^[^ ]+ [^ ]+")
    end)
  end
  count("streams", function()
    local body = {}
    for _ = 1, 2 do
      for piece in httpc.request_stream("GET", host, "/chunks") do
        body[#body + 1] = piece
      end
    end
    local left = httpc.request_stream("GET", host, "/chunks")
    left:close()
    return table.concat(body)
  end)

  -- The server ends a kept connection when the second request is there: nothing of an answer comes.
  behaviour["/dies"] = function(_, write, served)
    if served > 1 then
      return true
    end
    httpd.write_response(write, 200, "fresh")
  end
  -- Here a part of the answer had come.
  behaviour["/breaks"] = function(_, write, served)
    if served > 1 then
      write("HTTP/1.1 200 OK\r\nCont")
      return true
    end
    httpd.write_response(write, 200, "fresh")
  end
  local function and_then(method, first, second)
    local host = server()
    httpc.get(host, first)
    return httpc.request(method, host, second)
  end
  count("sent again", and_then, "GET", "/dies", "/dies")
  count("not a POST", and_then, "POST", "/dies", "/dies")
  count("not behind a part of the answer", and_then, "GET", "/breaks", "/breaks")
  behaviour["/never"] = function() return true end
  count("once only", and_then, "GET", "/a", "/never")

  -- A connection that the server has closed meanwhile: whether that was noticed or not.
  behaviour["/bye"] = function(_, write)
    httpd.write_response(write, 200, "bye")
    return true
  end
  count("closed meanwhile", and_then, "GET", "/bye", "/bye")
  count("kept for its time", function()
    local host, options = server(), { keepalive = 0.05 }
    httpc.get(host, "/a", nil, nil, nil, options)
    skynet.sleep(20)
    return httpc.get(host, "/a", nil, nil, nil, options)
  end)

  -- Limits of a call.
  behaviour["/silent"] = function(id) socket.read(id, 1000) return true end
  behaviour["/slow"] = function(id, write)
    write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
    socket.read(id, 1000)
    return true
  end
  for _, path in ipairs { "/silent", "/slow" } do
    count(path, httpc.get, host, path, nil, nil, nil, { timeout = 5 })
    local _, err = pcall(httpc.get, host, path, nil, nil, nil, { timeout = 5 })
    print((tostring(err):gsub("127.0.0.1:%d+", "HOST")))
  end
  count("stream over its time", function()
    local stream = httpc.request_stream("GET", host, "/slow", nil, nil, nil, { timeout = 5 })
    return stream(), stream()
  end)
  behaviour["/until"] = function(_, write) write("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(11)) return true end
  behaviour["/eleven"] = function(_, write) httpd.write_response(write, 200, ("x"):rep(11)) end
  behaviour["/eleven_chunks"] = function(_, write) write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n") end
  for _, path in ipairs { "/until", "/eleven", "/eleven_chunks" } do
    count(path, httpc.get, host, path, nil, nil, nil, { bodylimit = 10 })
  end
  count("at the limit", httpc.get, host, "/until", nil, nil, nil, { bodylimit = 11 })
  behaviour["/interim"] = function(_, write)
    write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  end
  local header = {}
  count("interim", httpc.get, host, "/interim", header)
  print(header.link, header["content-length"])
  skynet.abort()
end)
