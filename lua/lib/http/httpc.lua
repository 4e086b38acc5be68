--- http.httpc: the client's side of HTTP.
---
--- As in skynet a request has a connection of its own, unless connections are kept (`keepalive`).
--- Invariant: a connection is closed or kept exactly once, however its request ends. A request goes
--- out again only when it was sent on a kept connection of which nothing came back, and repeating
--- it does no harm.
--- Not here: the exchange itself (`http.internal`), TLS (`http.tlshelper`).

local skynet = require "skynet"
local socket = require "skynet.socket"
local internal = require "http.internal"
local sockethelper = require "http.sockethelper"

local error, ipairs, pairs, pcall, tonumber = error, ipairs, pairs, pcall, tonumber
local tostring, type = tostring, type
local concat, insert, remove = table.concat, table.insert, table.remove
local ceil, max, min = math.ceil, math.max, math.min

--- What holds for all requests of this service; each also stands in a call's options.
---@class http.httpc
---@field timeout? integer centiseconds for connecting, and again for the rest
---@field connect_timeout? integer centiseconds for connecting
---@field keepalive? number|false seconds that an unused connection is kept; absent: none is
---@field bodylimit? integer bytes of a response's body
---@field tls? table handed on to `skynet.socket.tls`
local httpc = {}

-- Kept connections to one server; of more the oldest is closed.
local KEPT_PER_SERVER = 16
local DEFAULT_PORT = { http = 80, https = 443 }
-- Methods that may be sent twice (RFC 9110, 9.2.2).
local REPEATABLE = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true, TRACE = true }

local resolves = false

--- Names are resolved by `skynet.dns` from now on, asking the given server.
---@param server? string
---@param port? integer
function httpc.dns(server, port)
  require("skynet.dns").server(server, port)
  resolves = true
end

---@class http.target
---@field protocol "http"|"https"
---@field authority string as the caller wrote it, for the host field
---@field name string
---@field port integer
---@field numeric boolean whether the name is an address

local function target_of(host)
  local protocol, authority = host:match("^(%a[%w+.-]*)://(.*)$")
  protocol, authority = (protocol or "http"):lower(), authority or host
  if not DEFAULT_PORT[protocol] then
    error("Invalid protocol: " .. protocol, 0)
  end
  local name, port = authority:match("^%[(.-)%]:?(%d*)$")
  local numeric = name ~= nil
  if not name then
    name, port = authority:match("^([^:]*):?(%d*)$")
    if not name then
      error(("Invalid host: %s (expected name, name:port or [address]:port)"):format(authority), 0)
    end
    numeric = name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
  end
  return {
    protocol = protocol,
    authority = authority,
    name = name,
    port = tonumber(port) or DEFAULT_PORT[protocol],
    numeric = numeric,
  }
end

local function setting(options, name)
  if options and options[name] ~= nil then
    return options[name]
  end
  return httpc[name]
end

---@class http.connection
---@field fd integer
---@field interface table
---@field key string of the server it leads to
---@field kept boolean whether it was used before
---@field expires? number time of skynet.now()

-- Unused connections by server, the one that is kept longest at the end; and when the next ends.
local kept = {}
local next_sweep

local function close(connection)
  sockethelper.close(connection.fd)
  if connection.interface.close then
    connection.interface.close()
  end
end

local sweep

local function sweep_at(time)
  if not next_sweep or time < next_sweep then
    next_sweep = time
    skynet.timeout(time - skynet.now(), sweep)
  end
end

-- Closes what was kept long enough, and comes again when the next one has to go.
function sweep()
  local now, next_end = skynet.now(), nil
  if next_sweep and next_sweep <= now then
    next_sweep = nil
  end
  for key, list in pairs(kept) do
    while list[1] and list[1].expires <= now do
      skynet.fork(close, remove(list, 1))
    end
    if list[1] then
      next_end = min(next_end or list[1].expires, list[1].expires)
    else
      kept[key] = nil
    end
  end
  if next_end then
    sweep_at(next_end)
  end
end

local function keep(connection, seconds)
  local list = kept[connection.key] or {}
  kept[connection.key] = list
  connection.expires = skynet.now() + max(1, ceil(seconds * 100))
  -- In the order of their ends, as calls may ask for different times.
  local place = #list + 1
  while place > 1 and list[place - 1].expires > connection.expires do
    place = place - 1
  end
  insert(list, place, connection)
  if #list > KEPT_PER_SERVER then
    skynet.fork(close, remove(list, 1))
  end
  sweep_at(connection.expires)
end

-- A kept connection, unless there is none whose peer is still there.
local function take(key)
  local list = kept[key]
  while list and list[1] do
    local connection = remove(list)
    if connection.expires > skynet.now() and not socket.invalid(connection.fd)
      and not socket.disconnected(connection.fd) then
      connection.kept = true
      return connection
    end
    close(connection)
  end
end

local function interface_of(target, fd, tls_options)
  if target.protocol == "http" then
    return {
      read = sockethelper.readfunc(fd),
      write = sockethelper.writefunc(fd),
      readall = function()
        return sockethelper.readall(fd)
      end,
    }
  end
  local tls = require "http.tlshelper"
  local session = tls.newtls("client", tls.newctx(tls_options), target.name)
  return {
    init = tls.init_requestfunc(fd, session),
    close = tls.closefunc(session),
    read = tls.readfunc(fd, session),
    write = tls.writefunc(fd, session),
    readall = tls.readallfunc(fd, session),
  }
end

local function address_of(target)
  if target.numeric or not resolves then
    return target.name
  end
  local address, reason = require("skynet.dns").resolve(target.name)
  if not address then
    error(("%s dns resolve failed msg:%s"):format(target.name, reason), 0)
  end
  return address
end

---@class http.attempt one request on one connection
---@field connection http.connection
---@field late boolean whether the time was over
---@field finished boolean

-- Ends the attempt's socket when the time is over, which fails whoever reads or writes it.
local function limit_time(attempt, ticks)
  if not ticks then
    return
  end
  skynet.timeout(ticks < 1 and 1 or ticks, function()
    if not attempt.finished then
      attempt.late = true
      sockethelper.shutdown(attempt.connection.fd)
    end
  end)
end

local function finish(attempt, seconds)
  if attempt.finished then
    return
  end
  attempt.finished = true
  if seconds and not attempt.late then
    keep(attempt.connection, seconds)
  else
    close(attempt.connection)
  end
end

-- What to raise for an error of an attempt: one that the time limit brought about says so. What TLS says of it is no
-- more than that its socket was closed.
local function reason_of(attempt, target, err, of_tls)
  if attempt.late and (of_tls or err == sockethelper.socket_error) then
    return sockethelper.socket_error(("%s: the time limit is over"):format(target.authority))
  end
  return err
end

-- A connection with the time limits running. `begun` is the time when the call began.
local function attempt_on(target, options, begun)
  local timeout = setting(options, "timeout")
  -- An option is for the whole call; the module's value counts anew once there is a connection.
  local whole = options and options.timeout
  local key = ("%s %s %d"):format(target.protocol, target.name, target.port)
  if target.protocol == "https" then
    -- A connection made under other rules is no connection for these.
    key = ("%s %s"):format(key, setting(options, "tls"))
  end
  local attempt = { late = false, finished = false }
  attempt.connection = setting(options, "keepalive") and begun.may_use_kept and take(key) or nil
  local function left()
    return whole and whole - (skynet.now() - begun.at) or timeout
  end
  if attempt.connection then
    limit_time(attempt, left())
    return attempt
  end
  local address = address_of(target)
  local connect_limit, rest = setting(options, "connect_timeout"), left()
  if not connect_limit or rest and rest < connect_limit then
    connect_limit = rest
  end
  local fd = sockethelper.connect(address, target.port, connect_limit)
  local interface = interface_of(target, fd, setting(options, "tls"))
  attempt.connection = { fd = fd, interface = interface, key = key, kept = false }
  limit_time(attempt, left())
  if interface.init then
    local ok, err = pcall(interface.init)
    if not ok then
      finish(attempt)
      error(reason_of(attempt, target, err, true), 0)
    end
  end
  return attempt
end

local function says_close(header)
  for name, value in pairs(header or {}) do
    if tostring(name):lower() == "connection" then
      value = type(value) == "table" and concat(value, ",") or tostring(value)
      if value:lower():find("close", 1, true) then
        return true
      end
    end
  end
  return false
end

-- Seconds to keep the connection of a response that was read to its end; nil if it has to go.
local function seconds_to_keep(attempt, options, header, fields, persistent, status)
  local interface = attempt.connection.interface
  local seconds = setting(options, "keepalive")
  if seconds and persistent and status ~= 101 and not interface.until_close
    and (interface.rest or "") == "" and not says_close(header) and not says_close(fields) then
    return seconds
  end
end

-- Sends a request and reads the head of its response; on a new connection if a kept one has died.
local function exchange(method, host, url, recvheader, header, content, options)
  local target = target_of(host)
  local begun = { at = skynet.now(), may_use_kept = true }
  while true do
    local attempt = attempt_on(target, options, begun)
    local interface = attempt.connection.interface
    interface.heard, interface.until_close, interface.rest = false, false, nil
    interface.method, interface.bodylimit = method, setting(options, "bodylimit")
    local ok, status, body, fields, persistent =
      pcall(internal.request, interface, method, target.authority, url, recvheader, header, content)
    if ok then
      return attempt, target, status, body, fields, persistent
    end
    finish(attempt)
    local stale = attempt.connection.kept and not interface.heard and not attempt.late
      and status == sockethelper.socket_error
    if not stale or not REPEATABLE[method] then
      error(reason_of(attempt, target, status), 0)
    end
    begun.may_use_kept = false
  end
end

--- Sends a request and reads its response. **Yields.** Raises `sockethelper.socket_error` when the
--- connection fails, a text when the response is no HTTP.
---@param method string
---@param host string `name`, `name:port`, `[address]:port`, with `http://` or `https://` or without
---@param url string
---@param recvheader? table receives the response's fields, their names in lower case
---@param header? table<string, any> a list makes a line for each of its values
---@param content? string
---@param options? http.httpc for this call alone
---@return integer status
---@return string body
function httpc.request(method, host, url, recvheader, header, content, options)
  local attempt, target, status, body, fields, persistent =
    exchange(method, host, url, recvheader, header, content, options)
  local ok, whole = pcall(internal.response, attempt.connection.interface, status, body, fields)
  if not ok then
    finish(attempt)
    error(reason_of(attempt, target, whole), 0)
  end
  finish(attempt, seconds_to_keep(attempt, options, header, fields, persistent, status))
  return status, whole
end

--- As `request` with HEAD; the status alone. **Yields.**
---@param host string
---@param url string
---@param recvheader? table
---@param header? table<string, any>
---@param content? string
---@param options? http.httpc
---@return integer status
function httpc.head(host, url, recvheader, header, content, options)
  return (httpc.request("HEAD", host, url, recvheader, header, content, options))
end

--- As `request`, but the body comes in pieces: the stream is called for each, until nil. **Yields.**
--- The time limit of the module ends with the head, that of the options with the stream.
---@param method string
---@param host string
---@param url string
---@param recvheader? table
---@param header? table<string, any>
---@param content? string
---@param options? http.httpc
---@return http.stream
function httpc.request_stream(method, host, url, recvheader, header, content, options)
  local attempt, _, status, body, fields, persistent =
    exchange(method, host, url, recvheader, header, content, options)
  local interface = attempt.connection.interface
  local ok, stream = pcall(internal.response_stream, interface, status, body, fields)
  if not ok then
    finish(attempt)
    error(stream, 0)
  end
  if not (options and options.timeout) then
    -- The timer finds another attempt finished and lets this one be.
    local connection = attempt.connection
    attempt.finished = true
    attempt = { connection = connection, late = false, finished = false }
  end
  function stream._onclose(self)
    local whole = self.connected == nil
    finish(attempt, whole and seconds_to_keep(attempt, options, header, fields, persistent, status) or nil)
  end
  return stream
end

--- As `request` with GET. **Yields.**
---@param host string
---@param url string
---@param recvheader? table
---@param header? table<string, any>
---@param content? string
---@param options? http.httpc
---@return integer status
---@return string body
function httpc.get(host, url, recvheader, header, content, options)
  return httpc.request("GET", host, url, recvheader, header, content, options)
end

local function escape(value)
  return (tostring(value):gsub("[^A-Za-z0-9_]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

--- As `request` with POST of a form. **Yields.**
---@param host string
---@param url string
---@param form table<string, any> a list repeats its name
---@param recvheader? table
---@param options? http.httpc
---@return integer status
---@return string body
function httpc.post(host, url, form, recvheader, options)
  local parts = {}
  for name, value in pairs(form) do
    for _, each in ipairs(type(value) == "table" and value or { value }) do
      parts[#parts + 1] = escape(name) .. "=" .. escape(each)
    end
  end
  local header = { ["content-type"] = "application/x-www-form-urlencoded" }
  return httpc.request("POST", host, url, recvheader, header, concat(parts, "&"), options)
end

return httpc
