-- httpd.read_request gives code, url, method, header and body, in whatever pieces the request comes.
local skynet = require "skynet"
require "skynet.manager"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

-- A reader of a connection on which `bytes` come in pieces of `size` and that ends then.
local function reader(bytes, size)
  return function(wanted)
    local piece = bytes:sub(1, wanted or size)
    if piece == "" or wanted and #piece < wanted then
      error(sockethelper.socket_error)
    end
    bytes = bytes:sub(#piece + 1)
    return piece
  end
end

local function shown(value)
  return type(value) == "table" and "{" .. table.concat(value, "|") .. "}" or tostring(value)
end

local function read(bytes, limit, size)
  local code, url, method, header, body = httpd.read_request(reader(bytes, size), limit)
  if code ~= 200 then
    return code, url == sockethelper.socket_error
  end
  local fields = {}
  for name, value in pairs(header) do
    fields[#fields + 1] = name .. "=" .. shown(value)
  end
  table.sort(fields)
  return code, method, url, table.concat(fields, ","), body
end

local function show(name, bytes, limit)
  local whole = table.pack(read(bytes, limit, #bytes))
  for _, size in ipairs { 1, 2, 3, 7, 50 } do
    local pieces = table.pack(read(bytes, limit, size))
    for i = 1, whole.n do
      assert(pieces[i] == whole[i], name)
    end
  end
  print(name, table.unpack(whole, 1, whole.n))
end

local function message(...)
  return table.concat({ ... }, "\r\n")
end

skynet.start(function()
  show("get", message("GET /path?a=%20b HTTP/1.1", "Host: x", "", ""))
  show("1.0", message("GET / HTTP/1.0", "", ""))
  show("no host", message("GET / HTTP/1.1", "Accept:*/*", "", ""))
  show("absolute form", message("GET http://host:80/p?q HTTP/1.1", "Host: x", "", ""))
  show("blanks in the target", message("GET /a b HTTP/1.1", "Host: x", "", ""))
  show("target in any bytes", message("GET /\xe8\xb7\xaf\xff HTTP/1.1", "X: \xff\xfe", "", ""))
  show("body", message("POST /p HTTP/1.1", "Content-Length: 5", "", "hello"))
  show("empty body", message("POST /p HTTP/1.1", "Content-Length: 0", "", ""))
  show("identity", message("POST /p HTTP/1.1", "Transfer-Encoding: identity", "Content-Length: 2", "", "hi"))
  show("repeated", message("GET / HTTP/1.1", "A: 1", "a: 2", "B: x", "A: 3", "", ""))
  show("continued", message("GET / HTTP/1.1", "A: 1", "\t2", "B: x", "", ""))
  show("empty value", message("GET / HTTP/1.1", "A:", "B:   x y", "", ""))
  show("colons", message("GET / HTTP/1.1", "A: b:c: d", "", ""))
  show("chunked", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "5", "hello", "A", "0123456789", "0", "", ""))
  show("no chunk", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "0", "", ""))
  show("trailer", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "X: 1", "", "1", "a", "0", "X: 2", "Y: z", "", ""))
  show("both", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 3", "", "5", "hello", "0", "", ""))

  show("version", message("GET / HTTP/2.0", "Host: x", "", ""))
  show("old version", message("GET / HTTP/0.9", "", ""))
  show("no colon", message("GET / HTTP/1.1", "nonsense", "", ""))
  show("continues nothing", message("GET / HTTP/1.1", "\tnonsense", "", ""))
  show("coding", message("POST / HTTP/1.1", "Transfer-Encoding: gzip", "", ""))
  show("two codings", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "", ""))
  show("body at the limit", message("POST / HTTP/1.1", "Content-Length: 5", "", "hello"), 5)
  show("body over the limit", message("POST / HTTP/1.1", "Content-Length: 6", "", "hello!"), 5)
  show("chunks over the limit", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "3", "abc", "3", "def", "0", "", ""), 5)
  show("a chunk over the limit", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "ffffffff", "abc"), 5)
  show("endless line", "GET /" .. ("x"):rep(10000))
  show("endless header", "GET / HTTP/1.1\r\n" .. ("a: b\r\n"):rep(2000))

  show("nothing", "")
  show("ends in the head", message("GET / HTTP/1.1", "Host: x"))
  show("ends in the body", message("POST / HTTP/1.1", "Content-Length: 6", "", "hello"))
  show("ends in a chunk", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "6", "hello"))
  show("ends behind a chunk", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "5", "hello", ""))
  show("ends before the last line", message("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "0", ""))
  print("a reader's own error", httpd.read_request(function() error("broken", 0) end))
  skynet.abort()
end)
