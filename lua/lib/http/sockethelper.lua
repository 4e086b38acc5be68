--- http.sockethelper: a socket as the functions that read and write HTTP.
---
--- Invariant: bytes that were read too far are given back, and the next reader of that socket gets
--- them first, so that requests sent one behind the other are all served.
--- Not here: TLS (`http.tlshelper`), what the bytes mean.

local skynet = require "skynet"
local socket = require "skynet.socket"

local error, pcall, tostring = error, pcall, tostring
local running = coroutine.running

local sockethelper = {}

-- Each failure is a value of its own, with its own text, yet all of them equal `socket_error`:
-- scripts compare with that, and concurrent failures do not overwrite each other's text.
local failure = {}

local function new_failure(text)
  return setmetatable({ text = text }, failure)
end

function failure.__tostring(self)
  return self.text and "[Socket Error] : " .. self.text or "[Socket Error]"
end

function failure.__call(_, text)
  return new_failure(tostring(text))
end

function failure.__eq(a, b)
  return getmetatable(a) == failure and getmetatable(b) == failure
end

function failure.__concat(a, b)
  return tostring(a) .. tostring(b)
end

sockethelper.socket_error = new_failure()

-- Bytes given back, by socket; and the sockets of the readers made here.
local unread, unread_count = {}, 0
local reader_socket = setmetatable({}, { __mode = "k" })

-- A socket may end without a word to this file. So whenever the number of entries has doubled,
-- those of sockets that are gone are dropped.
local SWEEP_FROM = 64
local sweep_at = SWEEP_FROM

local function forget(fd)
  if unread[fd] then
    unread[fd] = nil
    unread_count = unread_count - 1
  end
end

local function sweep()
  for fd in pairs(unread) do
    if socket.invalid(fd) then
      forget(fd)
    end
  end
  sweep_at = unread_count * 2
  if sweep_at < SWEEP_FROM then
    sweep_at = SWEEP_FROM
  end
end

--- Gives back what was read with `read` but not used. False when `read` is not of this module.
---@param read function
---@param bytes string
---@return boolean
function sockethelper.give_back(read, bytes)
  local fd = reader_socket[read]
  if not fd then
    return false
  end
  if bytes == "" then
    return true
  end
  if unread[fd] then
    bytes = bytes .. unread[fd]
  else
    unread_count = unread_count + 1
  end
  unread[fd] = bytes
  if unread_count > sweep_at then
    sweep()
  end
  return true
end

local function read_socket(fd, size)
  local bytes = socket.read(fd, size)
  if bytes then
    return bytes
  end
  error(new_failure("read failed fd = " .. tostring(fd)))
end

--- Makes the function that reads a socket. It **yields**; it takes the number of bytes wanted, or
--- nothing for whatever has come, and raises `socket_error` when the socket ends before.
---@param fd integer
---@param pre? string bytes that come before those of the socket
---@return fun(size?: integer): string
function sockethelper.readfunc(fd, pre)
  local function read(size)
    local held = pre or unread[fd]
    if not held then
      return read_socket(fd, size)
    end
    local rest
    if size and size < #held then
      rest = held:sub(size + 1)
      held = held:sub(1, size)
    end
    if pre then
      pre = rest
    elseif rest then
      unread[fd] = rest
    else
      forget(fd)
    end
    if size and size > #held then
      return held .. read(size - #held)
    end
    return held
  end
  reader_socket[read] = fd
  return read
end

--- What comes until the peer closes. **Yields.**
---@param fd integer
---@return string
function sockethelper.readall(fd)
  local held = unread[fd] or ""
  forget(fd)
  local bytes, rest = socket.readall(fd)
  return held .. (bytes or rest or "")
end

--- Makes the function that writes to a socket. It raises `socket_error` when the socket is gone.
---@param fd integer
---@return fun(content: string)
function sockethelper.writefunc(fd)
  return function(content)
    if not socket.write(fd, content) then
      error(new_failure("write failed fd = " .. tostring(fd)))
    end
  end
end

--- Connects within `timeout` centiseconds, if given. **Yields.** Raises `socket_error` on failure.
---@param host string
---@param port integer
---@param timeout? integer
---@return integer fd
function sockethelper.connect(host, port, timeout)
  local fd, reason
  local late = false
  if timeout then
    local waiting, done = running(), false
    skynet.fork(function()
      local ok, opened, why = pcall(socket.open, host, port)
      if not late then
        done = true
        if ok then
          fd, reason = opened, why
        else
          reason = opened
        end
        skynet.wakeup(waiting)
      elseif ok and opened then
        socket.close(opened)
      end
    end)
    skynet.sleep(timeout)
    late = not done
  else
    fd, reason = socket.open(host, port)
  end
  if fd then
    return fd
  end
  error(new_failure(("connect failed host = %s port = %s timeout = %s err = %s is_time_out = %s"):format(
    host, port, timeout, reason, late)))
end

--- Closes a socket when what was written is out. **Yields.**
---@param fd integer
function sockethelper.close(fd)
  forget(fd)
  socket.close(fd)
end

--- Ends a socket at once. It is still to be closed.
---@param fd integer
function sockethelper.shutdown(fd)
  forget(fd)
  socket.shutdown(fd)
end

return sockethelper
