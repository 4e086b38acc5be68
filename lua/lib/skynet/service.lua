--- skynet.service: one service per process made from a Lua function instead of a file.
---
--- Invariant: a name belongs to at most one function; who starts it first wins, the others get
--- the same address. The names live in service_provider, so nothing here can go stale.
--- Not here: running the function (service/service_cell.lua).

local skynet = require "skynet"
local internal = require "skynet.internal"

local service = {}

local provider

local function ask(...)
  provider = provider or skynet.uniqueservice "service_provider"
  return skynet.call(provider, "lua", ...)
end

--- Bytecode carries no upvalues, so the function must not use locals of the file around it.
local function check_function(name, main)
  if type(main) ~= "function" then
    error(("bad argument #2 to 'new' (function expected, got %s)"):format(type(main)), 3)
  end
  local index = 1
  local upvalue = internal.upvalue_name(main, index)
  if not upvalue then
    error(("service '%s': its function does nothing (no global is used)"):format(name), 3)
  end
  while upvalue do
    if upvalue ~= "_ENV" then
      error(("service '%s': its function uses the outer local '%s' (only globals are possible)")
        :format(name, upvalue), 3)
    end
    index = index + 1
    upvalue = internal.upvalue_name(main, index)
  end
end

--- Starts `main` as the service `name`, unless it runs already. **Yields** until it has started.
---@param name string
---@param main fun(...) calls `skynet.start` or sets its handlers itself
---@param ... any handed to `main`
---@return integer address
function service.new(name, main, ...)
  local address, starting = ask("test", name)
  if address then
    return address
  elseif starting then
    return ask("query", name)
  end
  check_function(name, main)
  return ask("launch", name, internal.dump_function(main), ...)
end

--- Waits until somebody has started the service `name`. **Yields.**
---@param name string
---@return integer address
function service.query(name)
  return ask("query", name)
end

--- Kills the service `name` and frees the name, also that of a failed start. **Yields.**
---@param name string
---@return boolean existed
function service.close(name)
  local address = ask("close", name)
  if not address then
    return false
  end
  require("skynet.manager").kill(address)
  return true
end

return service
