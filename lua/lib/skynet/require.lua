--- skynet.require: the global `require` of a service, whose modules may block while they load.
---
--- Invariant: a module is loaded by one coroutine at a time; others that want it wait for that one.
--- Once loaded it is in `package.loaded`, and `require` is one table look-up. Searchers, arguments
--- of the chunk, result and the text of a missing module are those of Lua's own `require`.
--- Not here: where modules are found (`package.searchers`), and loading of the service itself.

local running = coroutine.running
local traceback = require("skynet.internal").traceback
local find = string.find
local error, pcall, type, xpcall = error, pcall, type, xpcall

local loaded = package.loaded

--- Modules that are being loaded, by name, and the innermost one by coroutine.
---@type table<string, table>
local loading = {}
---@type table<thread, table>
local innermost = setmetatable({}, { __mode = "k" })
--- What a coroutine waits for, to find rings that go through several coroutines.
---@type table<thread, table>
local awaited = setmetatable({}, { __mode = "k" })

--- Init functions of the main chunk and of what it requires; nil once they run.
---@type function[]?
local startup = {}

--- The loader of a module and what is handed to it beside the name.
local function search(name)
  local searchers = package.searchers
  if type(searchers) ~= "table" then
    error("'package.searchers' must be a table", 3)
  end
  local tried = ""
  for i = 1, #searchers do
    -- pcall keeps the position of this line out of the text of a syntax error.
    local ok, loader, extra = pcall(searchers[i], name)
    if not ok then
      error(loader, 0)
    elseif type(loader) == "function" then
      return loader, extra
    elseif type(loader) == "string" then
      tried = tried .. loader
    end
  end
  error(("module '%s' not found:%s"):format(name, tried), 3)
end

--- Runs the chunk of a module, then the init functions it left.
local function execute(module, loader, extra)
  local name = module.name
  local value = loader(name, extra)
  if value ~= nil then
    loaded[name] = value
  elseif loaded[name] == nil then
    loaded[name] = true
  end
  local inits = module.inits
  if inits then
    -- Others must not see the module before it is complete; its own init functions may.
    value, loaded[name] = loaded[name], nil
    module.value = value
    module.inits = nil
    for i = 1, #inits do
      inits[i]()
    end
    loaded[name] = value
  end
end

--- A traceback would end at the `error` that passes the failure on, so it is taken here, once.
local function explain(failure)
  if type(failure) == "string" and not find(failure, "\nstack traceback:\n", 1, true) then
    return traceback(failure, 2)
  end
  return failure
end

local function load_module(name, loader, extra)
  local thread = running()
  local outer = innermost[thread]
  local module = { name = name, owner = thread }
  loading[name], innermost[thread] = module, module
  local ok, failure = xpcall(execute, explain, module, loader, extra)
  loading[name], innermost[thread] = nil, outer
  module.complete = ok

  local waiting = module.waiting
  if waiting then
    local wakeup = loaded.skynet.wakeup
    for i = 1, #waiting do
      wakeup(waiting[i])
    end
  end
  if not ok then
    error(failure, 0)
  end
  return loaded[name]
end

--- Whether `thread` would wait for itself by waiting for `module`.
local function closes_ring(module, thread)
  while module do
    if module.owner == thread then
      return true
    end
    module = awaited[module.owner]
  end
  return false
end

--- Waits until another coroutine has loaded `module`.
local function await(module)
  local thread = running()
  if closes_ring(module, thread) then
    if module.owner == thread and module.value ~= nil then
      return module.value
    end
    error("circular dependency", 0)
  end
  local waiting = module.waiting
  if not waiting then
    waiting = {}
    module.waiting = waiting
  end
  local ticket = {}
  waiting[#waiting + 1] = ticket
  awaited[thread] = module
  loaded.skynet.wait(ticket)
  awaited[thread] = nil
  if not module.complete then
    error(("require %s failed"):format(module.name), 3)
  end
  return loaded[module.name]
end

local M = {}

--- Loads a module. **Yields** when its chunk does, and while another coroutine loads it.
---@param name string
---@return any
function M.require(name)
  local value = loaded[name]
  if value then
    return value
  end
  if type(name) == "number" then
    name = tostring(name)
  elseif type(name) ~= "string" then
    error(("bad argument #1 to 'require' (string expected, got %s)"):format(type(name)), 2)
  end
  local module = loading[name]
  if module then
    return (await(module)) -- no tail call: its errors name our caller's line
  end
  return load_module(name, search(name))
end

--- Registers `f` to run before the service starts or, called while a coroutine loads a module,
--- when the chunk of that module has returned. Anywhere else `f` runs at once.
---@param f fun()
function M.init(f)
  if type(f) ~= "function" then
    error(("bad argument #1 to 'init' (function expected, got %s)"):format(type(f)), 2)
  end
  if startup then
    startup[#startup + 1] = f
    return
  end
  local module = innermost[running()]
  if not module then
    f()
  elseif module.inits then
    module.inits[#module.inits + 1] = f
  else
    module.inits = { f }
  end
end

--- Runs what the main chunk registered; called once, before the start function. **Yields.**
function M.init_all()
  local functions = startup or {}
  startup = nil
  for i = 1, #functions do
    functions[i]()
  end
end

return M
