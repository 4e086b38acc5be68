--- http.internal: what server and client share, and the client's exchange on an open connection.
---
--- An `interface` is a table with `read`, `write` and `readall`. After a response `rest` in it is
--- what came behind, `fields` its own fields, and `until_close` tells that only the connection's
--- end has ended the body.
--- Not here: connections (`http.httpc`), the syntax (`skynet.http.codec`).

local codec = require "skynet.http.codec"
local sockethelper = require "http.sockethelper"

local error, ipairs, pairs, pcall, tostring, type = error, ipairs, pairs, pcall, tostring, type
local concat = table.concat

local internal = {}

-- Bytes of a head that `recvheader` waits for, as in skynet.
local HEAD_LIMIT = 8192
-- Interim responses (1xx) before the real one; a server that sends more does not mean well.
local INTERIM_LIMIT = 16
-- Up to so many bytes a body goes out in one write with its head.
local JOIN_LIMIT = 16 * 1024
-- A chunk of a stream is given whole up to so many bytes.
local PIECE_LIMIT = 1024 * 1024
-- The phase of `codec.dechunk` behind the last chunk.
local TRAILER = -2

-- Fields that mean nothing once the head was read, so they are not taken from behind a body.
local NOT_BEHIND = {
  ["content-length"] = true,
  ["transfer-encoding"] = true,
  ["content-encoding"] = true,
  ["host"] = true,
}

--- Reads lines up to an empty one. **Yields.**
---@param read fun(size?: integer): string
---@param lines string[] the lines are added to it, without their ends
---@param bytes string what was read already
---@return string? rest what is behind the lines; nil when they are too long
function internal.recvheader(read, lines, bytes)
  local known = 0
  while true do
    if bytes:sub(1, 2) == "\r\n" then
      return bytes:sub(3)
    end
    local length = codec.head_end(bytes, known)
    if length then
      for line in bytes:sub(1, length):gmatch("([^\n]*)\n") do
        line = line:gsub("\r$", "")
        if line == "" then
          break
        end
        lines[#lines + 1] = line
      end
      return bytes:sub(length + 1)
    elseif #bytes > HEAD_LIMIT then
      return nil
    end
    known = #bytes
    bytes = bytes .. read()
  end
end

--- Adds the fields in `lines`, from the one numbered `from`, to `header`.
---@param lines string[]
---@param from integer
---@param header table
---@return table? header nil when a line is no field
function internal.parseheader(lines, from, header)
  if #lines < from then
    return header
  end
  return codec.fields(concat(lines, "\r\n", from) .. "\r\n\r\n", header) or nil
end

local function add(header, name, value)
  local before = header[name]
  if before == nil then
    header[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    header[name] = { before, value }
  end
end

local function add_all(header, fields)
  for name, value in pairs(fields) do
    for _, each in ipairs(type(value) == "table" and value or { value }) do
      add(header, name, each)
    end
  end
end

-- Adds the fields behind a body. False and a status code when they are none.
local function add_trailer(header, lines)
  local fields, status = codec.fields(lines, {})
  if not fields then
    return false, status
  end
  for name in pairs(NOT_BEHIND) do
    fields[name] = nil
  end
  add_all(header, fields)
  return true
end

--- Reads a chunked body. **Yields.** The fields behind it are added to `header`.
---@param read fun(size?: integer): string
---@param bodylimit? integer bytes
---@param header table
---@param bytes string what was read already
---@return string? body nil when it is malformed or too large
---@return table|integer header or the status code that says so
---@return string? rest what is behind the body
function internal.recvchunkedbody(read, bodylimit, header, bytes)
  local parts, size, phase = {}, 0, 0
  while true do
    local data, used, next_phase, lines = codec.dechunk(bytes, phase)
    if not data then
      return nil, used
    end
    phase = next_phase
    parts[#parts + 1] = data
    size = size + #data
    if bodylimit and size + (phase > 0 and phase or 0) > bodylimit then
      return nil, 413
    end
    bytes = bytes:sub(used + 1)
    if lines then
      local ok, status = add_trailer(header, lines)
      if not ok then
        return nil, status
      end
      return concat(parts), header, bytes
    end
    bytes = bytes .. read()
  end
end

--- The first `size` of the bytes that were read already and those to come, and what is behind.
--- **Yields.**
---@param read fun(size?: integer): string
---@param size integer
---@param bytes string
---@return string first
---@return string rest
function internal.exactly(read, size, bytes)
  if #bytes < size then
    return bytes .. read(size - #bytes), ""
  end
  return bytes:sub(1, size), bytes:sub(size + 1)
end

--- A line of a head. Raises when a line break would make more than one line of it.
---@param name any
---@param separator string
---@param value any
---@return string
function internal.header_line(name, separator, value)
  name, value = tostring(name), tostring(value)
  if name:find("[\r\n\0]") or value:find("[\r\n\0]") then
    error(("http: header '%s' holds a line break or a zero byte"):format(name:gsub("%c", "?")), 0)
  end
  return name .. separator .. value .. "\r\n"
end

--- Writes head and body, in one piece if that is short.
function internal.write_both(write, head, body)
  if #body <= JOIN_LIMIT then
    write(head .. body)
  else
    write(head)
    write(body)
  end
end

local function send(interface, method, host, url, header, content)
  if tostring(method):find("[%s%c]") or tostring(url):find("[\r\n\0]") then
    error("http: method or url holds a line break", 0)
  end
  local lines = { ("%s %s HTTP/1.1\r\n"):format(method, url == "" and "/" or url) }
  local has_host, chunked
  for name, value in pairs(header or {}) do
    local lower = tostring(name):lower()
    has_host = has_host or lower == "host"
    chunked = chunked or lower == "transfer-encoding" and tostring(value):lower() == "chunked"
    if lower ~= "content-length" then
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        lines[#lines + 1] = internal.header_line(name, ":", each)
      end
    end
  end
  if not has_host then
    lines[#lines + 1] = internal.header_line("host", ":", host)
  end
  content = content or ""
  -- A caller that names the chunked coding brings the chunks himself.
  lines[#lines + 1] = chunked and "\r\n" or ("content-length:%d\r\n\r\n"):format(#content)
  internal.write_both(interface.write, concat(lines), content)
end

local function receive_head(interface)
  local bytes = ""
  for _ = 1, INTERIM_LIMIT do
    local known = 0
    local status, header, used, persistent
    while true do
      status, header, used, persistent = codec.response(bytes, known, {})
      if status ~= nil then
        break
      end
      known = #bytes
      bytes = bytes .. interface.read()
      interface.heard = true
    end
    if not status then
      error(header == 413 and "Recv header failed" or "Invalid HTTP response header")
    end
    bytes = bytes:sub(used + 1)
    if status >= 200 or status == 101 then
      return status, bytes, header, persistent
    end
  end
  error("Invalid HTTP response header")
end

--- Sends a request and reads the head of its response. **Yields.** Interim responses are skipped.
---@param interface table
---@param method string
---@param host string
---@param url string
---@param recvheader? table the response's fields are added to it
---@param header? table<string, any>
---@param content? string
---@return integer status
---@return string body what of it was read already
---@return table header
---@return boolean persistent whether the version keeps connections open
function internal.request(interface, method, host, url, recvheader, header, content)
  send(interface, method, host, url, header, content)
  local status, body, fields, persistent = receive_head(interface)
  -- `recvheader` may have fields of an earlier response: they say nothing of this one's body.
  interface.fields = fields
  if recvheader then
    add_all(recvheader, fields)
    fields = recvheader
  end
  return status, body, fields, persistent
end

--- How the body of a response ends: at a length, "chunked", or nil for the connection's end.
local function framing_of(interface, status, header)
  if status < 200 or status == 204 or status == 304 or interface.method == "HEAD" then
    return 0
  end
  local fields = interface.fields or header
  local framing, refusal = codec.framing(fields["content-length"], fields["transfer-encoding"])
  if framing == false then
    error(refusal == 501 and "Unsupport transfer-encoding" or "Invalid HTTP response header")
  end
  return framing
end

local function too_large(limit)
  error(("http: the response's body exceeds %d bytes"):format(limit))
end

--- What comes until the connection ends, up to a limit.
local function until_close(interface, bytes)
  interface.until_close = true
  local limit = interface.bodylimit
  if not limit then
    return bytes .. interface.readall()
  end
  local parts, size = { bytes }, #bytes
  while size <= limit do
    local ok, more = pcall(interface.read)
    if not ok then
      if more == sockethelper.socket_error then
        return concat(parts)
      end
      error(more, 0)
    end
    parts[#parts + 1] = more
    size = size + #more
  end
  too_large(limit)
end

--- Reads the body of a response. **Yields.**
---@param interface table
---@param status integer
---@param bytes string what of it was read already
---@param header table
---@return string body
function internal.response(interface, status, bytes, header)
  local framing = framing_of(interface, status, header)
  local limit = interface.bodylimit
  local body
  if framing == "chunked" then
    local refusal
    body, refusal, interface.rest = internal.recvchunkedbody(interface.read, limit, header, bytes)
    if not body then
      if limit and refusal == 413 then
        too_large(limit)
      end
      error("Invalid response body")
    end
  elseif framing then
    if limit and framing > limit then
      too_large(limit)
    end
    body, interface.rest = internal.exactly(interface.read, framing, bytes)
  else
    body = until_close(interface, bytes)
  end
  return body
end

---@class http.stream
---@field status integer
---@field header table
---@field connected boolean? true while there may be more, nil at the end, false after a failure
local stream = {}
stream.__index = stream

local function ended(self)
  self:close()
  return nil
end

--- The body is whole: the next call closes.
local function complete(self)
  self.connected = nil
  self._piece = ended
end

local function failed(self)
  self.connected = false
  self._piece = ended
  self:close()
end

local function receive(self)
  local ok, bytes = pcall(self._interface.read)
  if not ok then
    failed(self)
    error(bytes, 0)
  end
  return bytes
end

local function piece_of_length(self)
  local bytes = self._bytes
  if bytes == "" and self._left > 0 then
    bytes = receive(self)
  end
  self._bytes = ""
  if #bytes >= self._left then
    bytes, self._interface.rest = bytes:sub(1, self._left), bytes:sub(self._left + 1)
    complete(self)
  else
    self._left = self._left - #bytes
  end
  return bytes
end

-- One chunk, as senders of events mean it; a long one in the parts that come.
local function piece_of_chunks(self)
  while true do
    local bytes, at, phase = self._bytes, self._at, self._phase
    local last = #bytes
    if phase > 0 then
      last = at + phase - 1
    elseif phase ~= TRAILER then
      last = bytes:find("\n", at, true) or last
    end
    if #bytes >= last or phase > PIECE_LIMIT then
      local data, used, next_phase, lines = codec.dechunk(bytes:sub(at, last), phase)
      if not data then
        return failed(self)
      end
      self._at, self._phase = at + used, next_phase
      if lines then
        if not add_trailer(self.header, lines) then
          return failed(self)
        end
        self._interface.rest = bytes:sub(at + used)
        complete(self)
        return data
      elseif data ~= "" then
        return data
      end
    end
    if self._at == at or self._at > #bytes then
      self._bytes, self._at = bytes:sub(self._at) .. receive(self), 1
    end
  end
end

local function piece_until_close(self)
  local bytes = self._bytes
  self._bytes = ""
  if bytes ~= "" then
    return bytes
  end
  local ok, more = pcall(self._interface.read)
  if ok then
    return more
  elseif more == sockethelper.socket_error then
    self._interface.until_close = true
    complete(self)
    return ended(self)
  end
  failed(self)
  error(more, 0)
end

--- The next piece of the body, nil behind the last. **Yields.** Raises `socket_error` when the
--- connection ends before the body does.
---@return string? piece
---@return http.stream self
function stream:padding()
  return self:_piece(), self
end

stream.__call = stream.padding

--- Ends the stream, at whatever point.
function stream:close()
  self._piece = ended
  local onclose = self._onclose
  self._onclose = nil
  if onclose then
    onclose(self)
  end
end

--- The body of a response in pieces: an object to be called for each.
---@param interface table
---@param status integer
---@param bytes string what of the body was read already
---@param header table
---@return http.stream
function internal.response_stream(interface, status, bytes, header)
  local framing = framing_of(interface, status, header)
  local piece = framing == "chunked" and piece_of_chunks or framing and piece_of_length
    or piece_until_close
  return setmetatable({
    status = status,
    header = header,
    connected = true,
    _interface = interface,
    _bytes = bytes,
    _at = 1,
    _left = framing,
    _phase = 0,
    _piece = piece,
  }, stream)
end

return internal
