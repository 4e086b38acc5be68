--- skynet.manager: adds to `skynet` what only some services need: starting bare services, killing,
--- naming, watching, and callbacks that see a message before the dispatcher does.
---
--- Invariant: requiring it returns the one `skynet` table, so `require "skynet.manager"` may stand
--- in the place of `require "skynet"`.
--- Not here: bookkeeping of running services (service/launcher.lua), global names (`.cslave`).

local skynet = require "skynet"
local core = require "skynet.core"

--- A global name is a 16 byte field on the wire, closed by a zero byte.
local GLOBAL_NAME_LIMIT = 16

--- Starts a service without the launcher: it is not listed, and nobody waits for its start.
---@param kind string kind of service, `snlua` for one written in Lua
---@param ... string|number arguments, joined with spaces
---@return integer|nil address nil when it cannot be started
function skynet.launch(kind, ...)
  local address = core.addresscommand("LAUNCH", table.concat({ kind, ... }, " "))
  if address then
    return address
  end
end

--- The integer behind any local form of an address, or nil.
local function to_handle(target)
  if type(target) ~= "string" then
    return target
  elseif target:byte() == 58 then -- ':'
    return tonumber(target:sub(2), 16)
  end
  return skynet.localname(target)
end

--- Ends a service at once; its handlers and its exit do not run.
---@param target integer|string address, ":hex" or ".name"
function skynet.kill(target)
  local handle = to_handle(target)
  if handle then
    -- Told first, so that whoever waits for the start of the victim hears of its end.
    skynet.send(".launcher", "lua", "REMOVE", handle, true)
    target = skynet.address(handle)
  end
  core.command("KILL", target)
end

--- Ends the process.
function skynet.abort()
  core.command("ABORT")
end

local function check_name(name, caller)
  if type(name) ~= "string" then
    error(("bad argument #1 to '%s' (string expected, got %s)"):format(caller, type(name)), 3)
  elseif name:byte() == 58 then -- ':'
    error(("%s: %q is an address, not a name"):format(caller, name), 3)
  end
end

local function publish(name, handle, caller)
  if #name >= GLOBAL_NAME_LIMIT then
    error(("%s: global name %q is too long (%d bytes; less than %d expected)")
      :format(caller, name, #name, GLOBAL_NAME_LIMIT), 3)
  elseif tonumber(name) then
    error(("%s: %q would be taken for a number"):format(caller, name), 3)
  end
  skynet.send(".cslave", "lua", "REGISTER", name, handle)
end

local function is_local(name)
  return name:byte() == 46 -- '.'
end

--- Names this service: ".x" in this process, any other name in the whole network.
--- The first service that takes a name keeps it.
---@param name string
function skynet.register(name)
  check_name(name, "register")
  if is_local(name) then
    core.command("REG", name)
  else
    publish(name, skynet.self(), "register")
  end
end

--- Names another service, as `skynet.register` does for this one.
---@param name string
---@param handle integer|string
function skynet.name(name, handle)
  check_name(name, "name")
  if is_local(name) then
    core.command("NAME", name .. " " .. skynet.address(handle))
  else
    publish(name, handle, "name")
  end
end

local function start_later(start_function)
  skynet.timeout(0, function()
    skynet.init_service(start_function)
  end)
end

--- Like `skynet.start`, but messages of the types in `map` are dispatched as another type and are
--- not freed: their handler owns pointer and size, and passes them on or trashes them.
---@param map table<integer, integer> type id -> type id whose handler gets the message
---@param start_function fun()
function skynet.forward_type(map, start_function)
  local dispatch = skynet.dispatch_message
  core.callback(function(kind, message, size, ...)
    local target = map[kind]
    if target then
      return dispatch(target, message, size, ...)
    end
    -- With `forward` set the callback owns every message, also those it does not pass on.
    local ok, why = pcall(dispatch, kind, message, size, ...)
    skynet.trash(message, size)
    if not ok then
      error(why, 0)
    end
  end, true)
  start_later(start_function)
end

--- Like `skynet.start`, but `convert` sees (type, message, size, session, source) first and
--- returns what is dispatched in their place.
---@param convert fun(...): ...
---@param start_function fun()
function skynet.filter(convert, start_function)
  local dispatch = skynet.dispatch_message
  core.callback(function(...)
    dispatch(convert(...))
  end)
  start_later(start_function)
end

--- Makes the global service `service` hear of each service that ends: a message of PTYPE_CLIENT
--- from the dead address. **Yields.**
---@param service string
---@param query? boolean wait for an existing one instead of starting it
---@return integer address
function skynet.monitor(service, query)
  local find = query and skynet.queryservice or skynet.uniqueservice
  local address = assert(find(true, service), "Monitor launch failed")
  core.command("MONITOR", skynet.address(address))
  return address
end

return skynet
