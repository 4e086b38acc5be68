--- Service `debug_console [IP] PORT`: lines of text from a person or a script into commands about
--- the services of this node, their results back as text.
---
--- Invariant: each command ends in `<CMD OK>` or `<CMD Error>`, whatever becomes of the service it is
--- about, so that a script knows where an answer ends.
--- Not here: what the asked service does (lib/skynet/debug.lua), the step debugger
--- (lib/skynet/remotedebug.lua). There is no password: who reaches the port commands the node.

local skynet = require "skynet"
local socket = require "skynet.socket"
local commands = require "skynet.internal.console"

local GREETING = "Welcome to skynet console\n"
--- Where it listens when no address is named: whoever wants more says so.
local DEFAULT_ADDRESS = "127.0.0.1"
--- Most bytes of the body of a request.
local LONGEST_BODY = 65536
--- Most unread bytes of a connection: commands may be sent before the answers to earlier ones.
local UNREAD = 1048576

local address, port = ...
if not port then
  address, port = DEFAULT_ADDRESS, address
end

--- "k:v" words of a table in the order of its keys.
local function words_of(fields)
  local words = {}
  for key, value in pairs(fields) do
    words[#words + 1] = ("%s:%s"):format(key, value)
  end
  table.sort(words)
  return table.concat(words, "\t")
end

--- A result as the lines that are shown.
local function shown(result)
  if result == nil then
    return ""
  elseif type(result) ~= "table" then
    return tostring(result) .. "\n"
  end
  local keys, values = {}, {}
  for key, value in pairs(result) do
    key = tostring(key)
    keys[#keys + 1] = key
    values[key] = type(value) == "table" and words_of(value) or tostring(value)
  end
  table.sort(keys)
  local lines = {}
  for index, key in ipairs(keys) do
    lines[index] = ("%s\t%s\n"):format(key, values[key])
  end
  return table.concat(lines)
end

--- Writes how a command went.
local function finish(fd, ok, result)
  if ok then
    socket.write(fd, shown(result) .. "<CMD OK>\n")
  else
    socket.write(fd, tostring(result) .. "\n<CMD Error>\n")
  end
end

---@class debug_console.connection
---@field fd integer
---@field agent integer? of the debugger that gets the lines for now

--- Carries out one line. **Yields.**
---@param connection debug_console.connection
---@param line string
local function execute(connection, line)
  local fd = connection.fd
  local words = {}
  for word in line:gmatch "%S+" do
    words[#words + 1] = word
  end
  local name = words[1] or ""
  local command, raw = commands.plain[name], commands.raw[name]
  if command then
    finish(fd, pcall(command, table.unpack(words, 2)))
  elseif raw then
    local function answer(ok, result)
      finish(fd, ok, result)
    end
    local ok, result = pcall(raw, {
      line = line, words = words, connection = connection, answer = answer,
    })
    if not ok or result ~= commands.LATER then
      answer(ok, result)
    end
  else
    socket.write(fd, "Invalid command, type help for command list\n")
    finish(fd, false, "")
  end
end

--- A request of HTTP whose first line has been read. The path, or the body of a POST, is the
--- command; the answer is plain text without a head. **Yields.**
local function execute_request(connection, method, line)
  local httpd = require "http.httpd"
  local sockethelper = require "http.sockethelper"
  local read = sockethelper.readfunc(connection.fd, line .. "\n")
  local code, url, _, _, body = httpd.read_request(read, LONGEST_BODY)
  if code ~= 200 then
    finish(connection.fd, false, ("bad request: %s"):format(code or url))
  elseif method == "POST" then
    execute(connection, body or "")
  else
    execute(connection, (url:gsub("^/", ""):gsub("/", " ")))
  end
end

local function serve(connection)
  local fd = connection.fd
  socket.write(fd, GREETING)
  while true do
    local line = socket.readline(fd, "\n")
    if not line then
      return
    end
    local method = line:match "^(%u+) "
    if connection.agent then
      skynet.send(connection.agent, "lua", "cmd", (line:gsub("\r$", "")))
    elseif method == "GET" or method == "POST" then
      execute_request(connection, method, line)
      return
    elseif line:find "%S" then
      execute(connection, line)
    end
  end
end

skynet.start(function()
  local number = assert(tonumber(port), ("debug_console: port expected, got %s"):format(port))
  local listener, host, bound = socket.listen(address, number)
  skynet.error(("Start debug console at %s:%d"):format(host or address, bound or number))
  socket.start(listener, function(fd, peer)
    skynet.error(peer, "connected")
    if socket.start(fd) then
      socket.limit(fd, UNREAD)
      local connection = { fd = fd }
      local ok, why = pcall(serve, connection)
      if not ok then
        skynet.error(("debug_console: %s: %s"):format(peer, why))
      end
      if connection.agent then
        skynet.send(connection.agent, "lua", "cmd", "cont")
      end
    end
    socket.close(fd)
    skynet.error(peer, "disconnect")
  end)
end)
