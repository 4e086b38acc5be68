--- Service `service_provider`: the names of the services that skynet.service makes from functions.
---
--- Invariant: a name is launched at most once until it is closed; everybody who asks meanwhile gets
--- the one result. A failed launch is remembered, and raised for each who asks again.
--- Not here: running the function (service_cell.lua), killing a closed service
--- (skynet/service.lua).

local skynet = require "skynet"

---@class cell
---@field address integer? set when the function has run
---@field failure string? set when it could not
---@field launching boolean?
---@field waiting table[] tokens of the coroutines that wait for either

---@type table<string, cell>
local cells = {}

local function cell_of(name)
  local cell = cells[name]
  if not cell then
    cell = { waiting = {} }
    cells[name] = cell
  end
  return cell
end

local function result_of(cell)
  return cell.address or cell.failure and error(cell.failure, 0)
end

--- The result of a cell somebody else launches. **Yields.**
local function await(cell)
  if not (cell.address or cell.failure) then
    local ticket = {}
    table.insert(cell.waiting, ticket)
    skynet.wait(ticket)
  end
  return result_of(cell)
end

local function start(name, code, ...)
  local address = skynet.newservice("service_cell", name)
  skynet.call(address, "lua", "init", code, ...)
  return address
end

local commands = {}

function commands.launch(name, code, ...)
  local cell = cell_of(name)
  if cell.address or cell.failure or cell.launching then
    return await(cell)
  end
  cell.launching = true
  local ok, result = pcall(start, name, code, ...)
  cell.launching = nil
  if ok then
    cell.address = result
  else
    cell.failure = ("service '%s' failed to start: %s"):format(name, result)
  end
  for _, ticket in ipairs(cell.waiting) do
    skynet.wakeup(ticket)
  end
  cell.waiting = {}
  return result_of(cell)
end

function commands.query(name)
  return await(cell_of(name))
end

--- Address, or nil and whether it is being launched.
function commands.test(name)
  local cell = cells[name]
  if not cell then
    return nil
  end
  return result_of(cell), cell.launching
end

--- Frees the name; the caller kills the service of the returned address.
function commands.close(name)
  local cell = cells[name]
  if cell and (cell.address or cell.failure) then
    cells[name] = nil
    return cell.address
  end
  return nil
end

skynet.info_func(function()
  local list = {}
  for name, cell in pairs(cells) do
    list[name] = cell.address and skynet.address(cell.address)
      or cell.failure and ("Error: " .. cell.failure)
      or cell.launching and "launching"
      or "awaited"
  end
  return list
end)

skynet.start(function()
  skynet.dispatch("lua", function(_, _, command, ...)
    local handler = commands[command]
    if not handler then
      error(("unknown command %s of service_provider"):format(command), 0)
    end
    skynet.retpack(handler(...))
  end)
end)
