--- Service `.service` (and the global `SERVICE` of the standalone node): services of which there is
--- one per node or per network.
---
--- Invariant: a key is launched at most once. All who ask for it while it starts wait, and get the
--- same address or the same error text; a failed start is remembered and never tried again.
--- Not here: starting (launcher.lua). A unique service that ends later keeps its key.

local skynet = require "skynet.manager"

---@class birth A key whose service is awaited
---@field launch table? who launches it: { thread =, session =, source = }
---@field waiting table[] who waits: { session =, source = }; each is the token of its wait
---@field address integer? set at the end, or `failure` is
---@field failure string?

--- Address, error text or birth of each key.
---@type table<string, integer|string|birth>
local entries = {}

local commands = {}

--- Ends the birth of `key`; `result` is the address, or the error when not `ok`. `why` comes from
--- the manager of another node, which does the remembering itself.
local function settle(key, birth, ok, result, why)
  if ok and result then
    birth.address = result
    entries[key] = result
  elseif ok then
    -- It ended in its start function on purpose: no failure, so the next one may try again.
    birth.failure = why or ("service '%s' ended while it started"):format(key)
    entries[key] = nil
  else
    birth.failure = tostring(result)
    entries[key] = birth.failure
  end
  for _, ticket in ipairs(birth.waiting) do
    skynet.wakeup(ticket)
  end
end

--- The address of `key`, launched by `launch(...)` unless somebody did so before; without `launch`
--- it waits for somebody to do so. **Yields.**
local function address_of(key, launch, ...)
  local entry = entries[key]
  if type(entry) == "number" then
    return entry
  elseif type(entry) == "string" then
    error(entry, 0)
  end
  local birth = entry or { waiting = {} }
  entries[key] = birth
  local session, source = skynet.context()
  if launch and not birth.launch then
    birth.launch = { thread = coroutine.running(), session = session, source = source }
    settle(key, birth, pcall(launch, ...))
  else
    local ticket = { session = session, source = source }
    table.insert(birth.waiting, ticket)
    skynet.wait(ticket)
  end
  return birth.address or error(birth.failure, 0)
end

--- Splits off the mark of a global name.
local function plain_name(name)
  return name:match "^@(.*)$" or name
end

--- All snax services run the same file, so their key needs the name of the snax service as well.
local function key_of(name, subname)
  if plain_name(name) == "snaxd" then
    return name .. "." .. subname
  end
  return name
end

local function launch_snax(name, ...)
  return require("skynet.snax").rawnewservice(name, ...)
end

function commands.LAUNCH(name, ...)
  local plain = plain_name(name)
  if plain == "snaxd" then
    return address_of(key_of(name, (...)), launch_snax, ...)
  end
  return address_of(name, skynet.newservice, plain, ...)
end

function commands.QUERY(name, subname)
  return address_of(key_of(name, subname))
end

local function traceback_of(source, session)
  local ok, traceback = pcall(skynet.call, source, "debug", "TASK", session)
  return ok and tostring(traceback) or "?"
end

--- What is known of a service that is not there yet.
local function describe(birth)
  local lines = {}
  local launch = birth.launch
  local starting = launch
    and skynet.call(".launcher", "lua", "QUERY", skynet.task(launch.thread))
  if starting then
    table.insert(lines, "Starting as " .. skynet.address(starting))
    table.insert(lines, traceback_of(starting, "init"))
    table.insert(lines, "Asked for by " .. skynet.address(launch.source))
    table.insert(lines, traceback_of(launch.source, launch.session))
  end
  if #birth.waiting > 0 then
    table.insert(lines, "Querying:")
    for _, ticket in ipairs(birth.waiting) do
      table.insert(lines, ("%s %s"):format(skynet.address(ticket.source),
        traceback_of(ticket.source, ticket.session)))
    end
  end
  return table.concat(lines, "\n")
end

local function list_own()
  local births, list = {}, {}
  for key, entry in pairs(entries) do
    if type(entry) == "number" then
      list[key] = skynet.address(entry)
    elseif type(entry) == "string" then
      list[key] = "Error: " .. entry
    else
      births[key] = entry
    end
  end
  -- Describing yields, and meanwhile `entries` may change.
  for key, birth in pairs(births) do
    list[key] = describe(birth)
  end
  return list
end

--- Commands of the node that owns the global services.
local function serve_network()
  local managers = {}

  function commands.GLAUNCH(name, ...)
    return commands.LAUNCH("@" .. name, ...)
  end

  function commands.GQUERY(name, ...)
    return commands.QUERY("@" .. name, ...)
  end

  --- Another node's manager makes itself known.
  function commands.REPORT(address)
    managers[address] = true
  end

  local function add_list(list, address)
    local suffix = "@" .. skynet.harbor(address)
    for key, text in pairs(skynet.call(address, "lua", "LIST")) do
      list[key .. suffix] = text
    end
  end

  function commands.LIST()
    local list = list_own()
    for address in pairs(managers) do
      pcall(add_list, list, address) -- a node that is down has nothing to list
    end
    return list
  end
end

--- Commands of every other node: global services are asked of `SERVICE` and remembered here.
local function follow_network()
  local function ask_owner(command, name, ...)
    local global = "@" .. name
    return address_of(key_of(global, (...)), skynet.call, "SERVICE", "lua", command, global, ...)
  end

  function commands.GLAUNCH(...)
    return ask_owner("LAUNCH", ...)
  end

  function commands.GQUERY(...)
    return ask_owner("QUERY", ...)
  end

  commands.LIST = list_own

  skynet.call("SERVICE", "lua", "REPORT", skynet.self())
end

skynet.start(function()
  local owner = skynet.localname ".service"
  if owner then
    skynet.error((".service is %s already"):format(skynet.address(owner)))
    skynet.exit()
  end
  skynet.dispatch("lua", function(_, _, command, ...)
    local handler = commands[command]
    if not handler then
      skynet.retpack(nil, ("Invalid command %s"):format(command))
      return
    end
    local ok, result = pcall(handler, ...)
    if ok then
      skynet.retpack(result)
    else
      skynet.retpack(nil, tostring(result))
    end
  end)
  skynet.register ".service"
  if skynet.getenv "standalone" then
    skynet.register "SERVICE"
    serve_network()
  else
    follow_network()
  end
end)
