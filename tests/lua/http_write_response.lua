-- httpd.write_response sends a string with its length, a function's results as chunks, nil as a head alone.
local skynet = require "skynet"
require "skynet.manager"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

local function respond(...)
  local written = {}
  local ok, err = httpd.write_response(function(bytes) written[#written + 1] = bytes end, ...)
  print(ok, err, ("%q"):format((table.concat(written):gsub("\r\n", "~"))))
end

local function chunks(...)
  local list = { ... }
  return function() return table.remove(list, 1) end
end

skynet.start(function()
  respond(200, "hello")
  respond(200, "")
  respond(404, nil, { a = "1" })
  respond(204)
  respond(299, "no reason")
  respond(200, "x", { ["Set-Cookie"] = { "a=1", "b=2" } })
  respond(200, "x", { number = 12 })
  respond(200, chunks("hello", "", ("x"):rep(26)))
  respond(200, chunks())
  for _, code in ipairs { 100, 101, 301, 400, 408, 413, 414, 416, 500, 501, 503, 504, 505 } do
    respond(code, "")
  end

  -- What the writer raises comes back.
  print(httpd.write_response(function() error("broken", 0) end, 200, "x"))
  local ok, err = httpd.write_response(function() error(sockethelper.socket_error) end, 200, "x")
  print(ok, err == sockethelper.socket_error)
  print((httpd.write_response(function() end, 200, function() error "in the body" end)))
  print((httpd.write_response(function() end, 200, true)))
  print((httpd.write_response(function() end, "no code", "x")))
  skynet.abort()
end)
