--- skynet.debug: answers the messages of type PTYPE_DEBUG that a console sends to every service.
---
--- Invariant: each command answers its caller, so that a console never hangs on a service that
--- lives; only LINK answers by dying. The engine loads this file at the first such message, hence
--- a service that nobody looks at does not pay for it.
--- Not here: the console (service/debug_console.lua), the step debugger (skynet/remotedebug.lua).

local skynet = require "skynet"
local internal = require "skynet.internal"

local debug_module = {}

local proto = skynet._proto

--- What the step debugger and RUN need of the dispatcher. Its upvalues are what `_U` shows.
local exported = {
  dispatch = function(...)
    return proto and skynet.dispatch_message(...)
  end,
}

local NANOSECONDS = 1e9

local commands = {}

function commands.MEM()
  skynet.retpack(collectgarbage "count")
end

function commands.GC()
  local before, began = collectgarbage "count", skynet.hpc()
  collectgarbage()
  local cost = (skynet.hpc() - began) / NANOSECONDS
  skynet.error(("GC %.2f Kb -> %.2f Kb, cost %.2f sec")
    :format(before, collectgarbage "count", cost))
  skynet.ret()
end

function commands.STAT()
  skynet.retpack({
    task = skynet.task(),
    mqlen = skynet.stat "mqlen",
    cpu = skynet.stat "cpu",
    message = skynet.stat "message",
  })
end

function commands.TASK(session)
  if session then
    skynet.retpack(skynet.task(session))
  else
    local tracebacks = {}
    skynet.task(tracebacks)
    skynet.retpack(tracebacks)
  end
end

function commands.UNIQTASK()
  skynet.retpack(skynet.uniqtask())
end

function commands.KILLTASK(name)
  local thread = skynet.killthread(name)
  if thread then
    skynet.error(("killed %s"):format(thread))
    skynet.ret()
  else
    skynet.error(("no thread to kill matches %s"):format(name))
    skynet.retpack "Not found"
  end
end

function commands.INFO(...)
  local describe = internal.info_func()
  if describe then
    skynet.retpack(describe(...))
  else
    skynet.retpack(nil)
  end
end

function commands.EXIT()
  skynet.exit()
end

function commands.RUN(source, filename, ...)
  local inject = require "skynet.inject"
  local ok, output = inject(skynet, source, filename, table.pack(...), exported.dispatch)
  skynet.retpack(ok, table.concat(output, "\n"))
end

function commands.TERM(address)
  skynet.ret()
  skynet.term(address)
end

function commands.REMOTEDEBUG(...)
  require("skynet.remotedebug").start(exported, ...)
end

function commands.SUPPORT(protocol)
  skynet.retpack(skynet.dispatch(protocol) ~= nil)
end

function commands.PING()
  skynet.ret()
end

function commands.LINK()
  -- Never used: the end of this service answers it, with an error.
  skynet.response()
end

function commands.TRACELOG(protocol, flag)
  if type(protocol) == "boolean" then
    protocol, flag = "lua", protocol
  end
  skynet.error(("trace log of %s messages: %s"):format(protocol, flag))
  skynet.traceproto(protocol, flag)
  skynet.ret()
end

--- Handles one debug message; the engine calls it in the coroutine of the request.
--- **Yields** when the command does.
---@param _session integer
---@param _source integer
---@param command string
---@param ... any
function debug_module.dispatch(_session, _source, command, ...)
  local handler = commands[command]
  if not handler then
    error(tostring(command), 0)
  end
  handler(...)
end

--- Adds a debug command; `handler` answers with `skynet.ret`, as any request handler.
---@param name string
---@param handler fun(...)
function debug_module.reg_debugcmd(name, handler)
  commands[name] = handler
end

--- Replaces what the step debugger is handed. Needed only where the dispatcher is written in Lua.
---@param _skynet table
---@param export table
function debug_module.init(_skynet, export)
  exported = export
end

return debug_module
