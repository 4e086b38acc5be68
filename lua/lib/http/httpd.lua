--- http.httpd: the server's side of HTTP.
---
--- Invariant: nothing here raises. A request that is not accepted gives the status code to answer
--- with; a connection that ends gives nil and the error.

local codec = require "skynet.http.codec"
local internal = require "http.internal"
local sockethelper = require "http.sockethelper"

local ipairs, pairs, pcall, tostring, type = ipairs, pairs, pcall, tostring, type
local concat = table.concat

local httpd = {}

-- The texts that skynet sends, and those of later codes.
local REASONS = {
  [100] = "Continue",
  [101] = "Switching Protocols",
  [200] = "OK",
  [201] = "Created",
  [202] = "Accepted",
  [203] = "Non-Authoritative Information",
  [204] = "No Content",
  [205] = "Reset Content",
  [206] = "Partial Content",
  [300] = "Multiple Choices",
  [301] = "Moved Permanently",
  [302] = "Found",
  [303] = "See Other",
  [304] = "Not Modified",
  [305] = "Use Proxy",
  [307] = "Temporary Redirect",
  [308] = "Permanent Redirect",
  [400] = "Bad Request",
  [401] = "Unauthorized",
  [402] = "Payment Required",
  [403] = "Forbidden",
  [404] = "Not Found",
  [405] = "Method Not Allowed",
  [406] = "Not Acceptable",
  [407] = "Proxy Authentication Required",
  [408] = "Request Time-out",
  [409] = "Conflict",
  [410] = "Gone",
  [411] = "Length Required",
  [412] = "Precondition Failed",
  [413] = "Request Entity Too Large",
  [414] = "Request-URI Too Large",
  [415] = "Unsupported Media Type",
  [416] = "Requested range not satisfiable",
  [417] = "Expectation Failed",
  [422] = "Unprocessable Content",
  [426] = "Upgrade Required",
  [428] = "Precondition Required",
  [429] = "Too Many Requests",
  [431] = "Request Header Fields Too Large",
  [500] = "Internal Server Error",
  [501] = "Not Implemented",
  [502] = "Bad Gateway",
  [503] = "Service Unavailable",
  [504] = "Gateway Time-out",
  [505] = "HTTP Version not supported",
}

local function receive(read, bodylimit)
  local bytes, known = "", 0
  local method, target, header, used
  repeat
    bytes = bytes .. read()
    method, target, header, used = codec.request(bytes, known)
    known = #bytes
  until method ~= nil
  if not method then
    return target -- a status code
  end
  local body, rest = "", bytes:sub(used + 1)
  local framing, status = codec.framing(header["content-length"], header["transfer-encoding"])
  if framing == false then
    return status
  elseif framing == "chunked" then
    body, status, rest = internal.recvchunkedbody(read, bodylimit, header, rest)
    if not body then
      return status
    end
  elseif framing then
    if bodylimit and framing > bodylimit then
      return 413
    end
    body, rest = internal.exactly(read, framing, rest)
  end
  if rest ~= "" then
    sockethelper.give_back(read, rest)
  end
  return 200, target, method, header, body
end

--- Reads a request. **Yields.** Codes beside 200: 400 malformed, 413 a head over 8 KiB or a body
--- over `bodylimit`, 501 an unknown transfer coding, 505 an unknown version.
---@param read fun(size?: integer): string
---@param bodylimit? integer bytes
---@return integer? code nil when the connection failed
---@return any url or the error
---@return string? method
---@return table? header
---@return string? body
function httpd.read_request(read, bodylimit)
  local ok, code, url, method, header, body = pcall(receive, read, bodylimit)
  if ok then
    return code, url, method, header, body
  end
  return nil, code
end

local function send(write, code, body, header)
  local kind = type(body)
  if kind ~= "string" and kind ~= "function" and kind ~= "nil" then
    error(("httpd.write_response: body is a %s (string, function or nil expected)"):format(kind), 0)
  end
  local lines = { ("HTTP/1.1 %03d %s\r\n"):format(code, REASONS[code] or "") }
  for name, value in pairs(header or {}) do
    local lower = tostring(name):lower()
    -- The body's own framing takes the place of what the caller says of it.
    if body == nil or lower ~= "content-length" and lower ~= "transfer-encoding" then
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        lines[#lines + 1] = internal.header_line(name, ": ", each)
      end
    end
  end
  if kind == "string" then
    lines[#lines + 1] = ("content-length: %d\r\n\r\n"):format(#body)
    internal.write_both(write, concat(lines), body)
    return
  elseif kind == "nil" then
    lines[#lines + 1] = "\r\n"
    write(concat(lines))
    return
  end
  lines[#lines + 1] = "transfer-encoding: chunked\r\n\r\n"
  write(concat(lines))
  for chunk in body do
    if chunk ~= "" then
      write(("%x\r\n%s\r\n"):format(#chunk, chunk))
    end
  end
  write("0\r\n\r\n")
end

--- Writes a response. A string is sent with its length; a function is called for chunks until it
--- gives nil; nil sends the head alone. **Yields** if `body` does.
---@param write fun(content: string)
---@param code integer
---@param body? string|fun(): string?
---@param header? table<string, any> a list makes a line for each of its values
---@return boolean ok
---@return any err
function httpd.write_response(write, code, body, header)
  return pcall(send, write, code, body, header)
end

return httpd
