--- The commands of the service debug_console, by name.
---
--- Invariant: a command takes the words of its line and returns what is shown, or raises its error;
--- it knows nothing of connections. The commands in `raw` get { line, words, connection, answer }.
--- Not here: how results are shown (service/debug_console.lua).

local skynet = require "skynet.manager"
local core = require "skynet.core"
local memory = require "skynet.memory"

--- Time that services have to answer `stat`, `mem` and `gc` when none is named, in centiseconds.
local SURVEY_TIME = 300

local plain, raw = {}, {}

local console = {
  plain = plain,
  raw = raw,
  --- What a raw command returns that calls `answer` later.
  LATER = {},
}

--- What `help` says of each command.
local HELP = {
  call = "call address ...",
  clearcache = "clear lua code cache",
  cmem = "Show C memory info",
  dbgcmd = "run address debug command",
  debug = "debug address : debug a lua service",
  dumpheap = "dumpheap : dump heap profilling",
  exit = "exit address : kill a lua service",
  gc = "gc : force every lua service do garbage collect",
  getenv = "getenv name : skynet.getenv(name)",
  help = "This help message",
  info = "info address : get service infomation",
  inject = "inject address luascript.lua",
  jmem = "Show jemalloc mem stats",
  kill = "kill address : kill service",
  killtask = "killtask address threadname : threadname listed by task",
  list = "List all the service",
  log = "launch a new lua service with log",
  logoff = "logoff address",
  logon = "logon address",
  mem = "mem : show memory status",
  netstat = "netstat : show netstat",
  ping = "ping address",
  profactive = "profactive [on|off] : active/deactive jemalloc heap profilling",
  service = "List unique service",
  setenv = "setenv name value: skynet.setenv(name,value)",
  signal = "signal address sig",
  snax = "lanuch a new snax service",
  start = "lanuch a new lua service",
  stat = "Dump all stats",
  task = "task address : show service task detail",
  trace = "trace address [proto] [on|off]",
  uniqtask = "task address : show service unique task detail",
}

function plain.help()
  return HELP
end

--- The handle that a word of a person stands for: ":hex", ".name", or hex digits, which belong to
--- this node unless they say otherwise.
local function handle_of(word)
  if not word then
    error "Need an address"
  elseif word:byte() == 46 then -- '.'
    return skynet.localname(word) or error "Not a valid name"
  end
  local digits, bare = word:match "^:(%x+)$", word:match "^(%x+)$"
  local handle = tonumber(digits or bare or "", 16)
  if not handle or handle == 0 or handle > 0xffffffff then
    error "Need an address"
  elseif bare and handle <= 0xffffff then
    handle = handle | (skynet.harbor(skynet.self()) << 24)
  end
  return handle
end

--- A command to one service, named by the first word.
local function about(run)
  return function(word, ...)
    return run(handle_of(word), ...)
  end
end

local function survey_time(word)
  local time = tonumber(word) or SURVEY_TIME
  return time > 0 and time // 1 | 0 or nil
end

function plain.list()
  return skynet.call(".launcher", "lua", "LIST")
end

for name, question in pairs { stat = "STAT", mem = "MEM", gc = "GC" } do
  plain[name] = function(time)
    return skynet.call(".launcher", "lua", question, survey_time(time))
  end
end

--- What is shown of an attempt to start something.
local function started(name, ok, address)
  if not ok then
    return "Failed"
  end
  return address and { [skynet.address(address)] = name } or "Exit"
end

function plain.start(...)
  return started((...), pcall(skynet.newservice, ...))
end

function plain.log(...)
  return started((...), pcall(skynet.call, ".launcher", "lua", "LOGLAUNCH", "snlua", ...))
end

function plain.snax(...)
  return started((...), pcall(require("skynet.snax").rawnewservice, ...))
end

function plain.service()
  return skynet.call("SERVICE", "lua", "LIST")
end

plain.info = about(function(handle, ...)
  return (skynet.call(handle, "debug", "INFO", ...))
end)

plain.exit = about(function(handle)
  skynet.send(handle, "debug", "EXIT")
end)

plain.kill = about(function(handle)
  return skynet.call(".launcher", "lua", "KILL", handle)
end)

plain.task = about(function(handle)
  return skynet.call(handle, "debug", "TASK")
end)

plain.uniqtask = about(function(handle)
  return skynet.call(handle, "debug", "UNIQTASK")
end)

plain.killtask = about(function(handle, thread)
  if not thread then
    error "need a thread, as `task` names it"
  end
  return skynet.call(handle, "debug", "KILLTASK", thread)
end)

plain.inject = about(function(handle, filename, ...)
  if not filename then
    error "need a file"
  end
  local file = io.open(filename, "rb")
  if not file then
    return "Can't open " .. filename
  end
  local source = file:read "a"
  file:close()
  local ok, output = skynet.call(handle, "debug", "RUN", source, filename, ...)
  if not ok then
    error(output)
  end
  return output
end)

plain.dbgcmd = about(function(handle, command, ...)
  return (skynet.call(handle, "debug", command, ...))
end)

plain.ping = about(function(handle)
  local before = skynet.now()
  skynet.call(handle, "debug", "PING")
  return tostring(skynet.now() - before)
end)

plain.trace = about(function(handle, protocol, flag)
  if protocol == "on" or protocol == "off" then
    protocol, flag = "lua", protocol
  end
  if flag then
    flag = flag == "on"
  end
  skynet.call(handle, "debug", "TRACELOG", protocol or "lua", flag)
end)

plain.logon = about(function(handle)
  core.command("LOGON", skynet.address(handle))
end)

plain.logoff = about(function(handle)
  core.command("LOGOFF", skynet.address(handle))
end)

plain.signal = about(function(handle, number)
  core.command("SIGNAL", ("%s %s"):format(skynet.address(handle), number or 0))
end)

function plain.cmem()
  local shown = {}
  for handle, bytes in pairs(memory.info()) do
    shown[skynet.address(handle)] = bytes
  end
  shown.total, shown.block = memory.total(), memory.block()
  return shown
end

function plain.jmem()
  local shown = {}
  for name, bytes in pairs(memory.jestat()) do
    shown[name] = ("%11d  %8.2f Mb"):format(bytes, bytes / 1048576)
  end
  return shown
end

function plain.dumpheap()
  memory.dumpheap()
end

function plain.profactive(flag)
  local active
  if flag then
    active = memory.profactive(flag == "on")
  else
    active = memory.profactive()
  end
  return "heap profilling is " .. (active and "active" or "deactive")
end

function plain.clearcache()
  require("skynet.codecache").clear()
end

function plain.getenv(name)
  return { [name or error "need a name"] = tostring(skynet.getenv(name)) }
end

function plain.setenv(name, value)
  skynet.setenv(name or error "need a name", value or error "need a value")
end

local function shown_bytes(bytes)
  if not bytes or bytes == 0 then
    return nil
  elseif bytes < 1024 then
    return bytes
  elseif bytes < 1048576 then
    return bytes / 1024 .. "K"
  end
  return bytes / 1048576 .. "M"
end

local function shown_age(since)
  if not since then
    return nil
  end
  local age = skynet.now() - since
  if age < 6000 then
    return age / 100 .. "s"
  end
  local hours, minutes, seconds = age // 360000, age // 6000 % 60, age % 6000 / 100
  return ("%s%d:%.2gs"):format(hours > 0 and hours .. ":" or "", minutes, seconds)
end

function plain.netstat()
  local sockets = require("skynet.socket").netstat()
  table.sort(sockets, function(one, other)
    return one.id > other.id
  end)
  for _, socket in ipairs(sockets) do
    socket.address = skynet.address(socket.address)
    socket.read, socket.write = shown_bytes(socket.read), shown_bytes(socket.write)
    socket.wbuffer = shown_bytes(socket.wbuffer)
    socket.rtime, socket.wtime = shown_age(socket.rtime), shown_age(socket.wtime)
  end
  return sockets
end

--- `call address expression, ...`
function raw.call(request)
  local handle = handle_of(request.words[2])
  local text = request.line:match "^%s*%S+%s+%S+%s+(.+)" or error "need arguments"
  local chunk = load("return " .. text, "debug console", "t", {}) or error "Invalid arguments"
  local arguments = table.pack(pcall(chunk))
  if not arguments[1] then
    error(arguments[2])
  end
  return table.pack(skynet.call(handle, "lua", table.unpack(arguments, 2, arguments.n)))
end

--- `debug address`: every line of the connection goes to the step debugger of the service until
--- it is left.
function raw.debug(request)
  local handle = handle_of(request.words[2])
  local agent = skynet.newservice "debug_agent"
  request.connection.agent = agent
  skynet.fork(function()
    local ok, why = pcall(skynet.call, agent, "lua", "start", handle, request.connection.fd)
    request.connection.agent = nil
    request.answer(ok, not ok and why or nil)
  end)
  return console.LATER
end

return console
