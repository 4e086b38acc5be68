--- skynet.internal.channel_reader: the connection of a channel, and the coroutine that reads it.
---
--- Invariant: who waits on a connection gets exactly one of its answer and its failure. A reader
--- ends with the connection.
--- Not here: connecting, requests (skynet.socketchannel).

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"

local error, pcall = error, pcall
local wait, wakeup = skynet.wait, skynet.wakeup

--- What waiting requests raise when the connection is lost.
local socket_error = setmetatable({}, {
  __tostring = function()
    return "[Error: socket]"
  end,
})

--- A connection as the functions that read answers see it: its id is at 1, false once closed.
---@class skynet.socketchannel.sock
---@field waiting table the tickets of those who wait: by session, or from `first` to `last`

--- Makes a method that calls `f` with the id and raises when the connection is closed.
local function reading(f)
  return function(sock, ...)
    local fd = sock[1]
    local data = fd and f(fd, ...)
    return data or error(socket_error)
  end
end

local stock_methods = { read = reading(socket.read), readline = reading(socket.readline) }

--- A forgotten connection is not left open. Blocking is not possible here.
local function collect(sock)
  local fd = sock[1]
  if fd then
    sock[1] = false
    driver.shutdown(fd)
  end
end

--- Tells a waiting request what became of it.
local function answer(ticket, ok, data)
  ticket.ok, ticket.data = ok, data
  wakeup(ticket)
end

--- Fails all who wait on a connection; `text` is the reason, if it is another than the loss.
local function fail(sock, text)
  local waiting = sock.waiting
  sock.waiting = {}
  if sock.first then
    for index = sock.first, sock.last do
      answer(waiting[index], socket_error, text)
    end
    sock.first, sock.last = 1, 0
  else
    for _, ticket in pairs(waiting) do
      answer(ticket, socket_error, text)
    end
  end
end

--- Closes the connection, if it is still that of the channel. Its reader notices and fails those
--- who wait. **Yields.**
local function drop(channel, sock)
  if sock and channel.__sock == sock then
    channel.__sock = false
    local fd = sock[1]
    sock[1] = false
    if sock.idle then
      sock.idle = false
      wakeup(sock)
    end
    pcall(socket.close, fd)
  end
end

--- Ends a reader whose function has raised `why`, or given no session.
local function break_off(channel, sock, why)
  drop(channel, sock)
  fail(sock, why ~= socket_error and why or nil)
end

--- Reads answers that name their session, as long as the connection is that of the channel.
local function read_by_session(channel, sock)
  local response = channel.__response
  while channel.__sock == sock do
    local ok, session, result, data, more = pcall(response, sock)
    if not ok or not session then
      return break_off(channel, sock, session)
    end
    local ticket = sock.waiting[session]
    if not ticket then
      skynet.error("socket: unknown session :", session)
    elseif result and more then
      ticket.parts = ticket.parts or {}
      table.insert(ticket.parts, data)
    else
      sock.waiting[session] = nil
      if result and ticket.parts then
        table.insert(ticket.parts, data)
        data = ticket.parts
      end
      answer(ticket, result, data)
    end
  end
  fail(sock, "channel_closed")
end

--- Reads one answer, which may have several parts.
local function read_parts(read, sock)
  local result, data, more = read(sock)
  if not (result and more) then
    return result, data
  end
  local parts = { data }
  repeat
    result, data, more = read(sock)
    if not result then
      return result, data
    end
    table.insert(parts, data)
  until not more
  return true, parts
end

--- Reads answers in the order of the requests.
local function read_in_order(channel, sock)
  while channel.__sock == sock do
    local first = sock.first
    if first > sock.last then
      sock.idle = true
      wait(sock)
      sock.idle = false
    else
      local ticket = sock.waiting[first]
      local ok, result, data = pcall(read_parts, ticket.read, sock)
      if not ok then
        return break_off(channel, sock, result) -- the ticket is still the first that waits
      elseif sock.waiting[first] == ticket then
        sock.waiting[first] = nil
        sock.first = first + 1
        answer(ticket, result, data)
      end
    end
  end
  fail(sock, "channel_closed")
end

return {
  collect = collect,
  drop = drop,
  error = socket_error,
  fail = fail,
  in_order = read_in_order,
  by_session = read_by_session,
  methods = stock_methods,
}
