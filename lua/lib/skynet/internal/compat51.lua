--- What Lua 5.1 had and 5.3 has not, for old scripts: with `compat51 = true` in the config every
--- service has it from the start.
---
--- Invariant: nothing that 5.3 has is replaced, but for functions that take more in 5.1.
--- Not here: other meanings of the same source (integers, the order of `%` and `//`, `ipairs`).

local debug_getinfo, getupvalue = debug.getinfo, debug.getupvalue
local setupvalue, upvaluejoin = debug.setupvalue, debug.upvaluejoin
local load, type, error, select = load, type, error, select
local globals = _ENV

--- Adds what is not there.
local function add(target, functions)
  for name, value in pairs(functions) do
    if target[name] == nil then
      target[name] = value
    end
  end
end

--- The function that `target` names, a function or a level above the caller's caller.
local function function_of(target, name)
  if type(target) == "function" then
    return target
  elseif type(target) ~= "number" then
    error(("bad argument #1 to '%s' (number expected, got %s)"):format(name, type(target)), 3)
  elseif target < 0 then
    error(("bad argument #1 to '%s' (level must be non-negative)"):format(name), 3)
  end
  local info = debug_getinfo(target + 2, "f")
  return info and info.func or error(("bad argument #1 to '%s' (invalid level)"):format(name), 3)
end

local function environment_index(func)
  local index = 1
  local name = getupvalue(func, index)
  while name do
    if name == "_ENV" then
      return index
    end
    index = index + 1
    name = getupvalue(func, index)
  end
end

--- The globals of a function: of the caller without an argument.
---@param target? function|integer
local function getfenv(target)
  if target == 0 then
    return globals
  end
  local func = function_of(target or 1, "getfenv")
  local index = environment_index(func)
  return index and select(2, getupvalue(func, index)) or globals
end

--- Gives a function other globals; functions of the same file keep theirs.
---@param target function|integer
---@param environment table
local function setfenv(target, environment)
  if type(environment) ~= "table" then
    error(("bad argument #2 to 'setfenv' (table expected, got %s)"):format(type(environment)), 2)
  end
  local func = function_of(target, "setfenv")
  local index = environment_index(func)
  if index then
    local own = environment
    upvaluejoin(func, index, function()
      return own
    end, 1)
    setupvalue(func, index, environment)
  end
  return func
end

local package_table = package

--- Lets a module see the globals.
local function seeall(module)
  local meta = getmetatable(module) or {}
  meta.__index = globals
  setmetatable(module, meta)
end

--- The table of a dotted name under the globals.
local function global_table(name)
  local place = globals
  for part in name:gmatch "[^.]+" do
    local below = rawget(place, part)
    if below == nil then
      below = {}
      place[part] = below
    elseif type(below) ~= "table" then
      error(("name conflict for module '%s'"):format(name), 3)
    end
    place = below
  end
  return place
end

--- Makes the rest of the calling file the module `name`.
---@param name string
---@param ... fun(module: table)
local function module(name, ...)
  local loaded = package_table.loaded
  local self = type(loaded[name]) == "table" and loaded[name] or global_table(name)
  loaded[name] = self
  if self._NAME == nil then
    self._M, self._NAME, self._PACKAGE = self, name, name:match "^(.*%.)[^.]*$" or ""
  end
  setfenv(2, self)
  for index = 1, select("#", ...) do
    select(index, ...)(self)
  end
end

--- Loads what `reader` gives piece by piece, or a string, as `load` of 5.1 and `loadstring` do.
local function loadstring(text, chunkname)
  return load(text, chunkname)
end

local function each_pair(list, f)
  for key, value in pairs(list) do
    local result = f(key, value)
    if result ~= nil then
      return result
    end
  end
end

local function each_index(list, f)
  for index = 1, #list do
    local result = f(index, list[index])
    if result ~= nil then
      return result
    end
  end
end

local function largest_index(list)
  local largest = 0
  for key in pairs(list) do
    if type(key) == "number" and key > largest then
      largest = key
    end
  end
  return largest
end

add(globals, {
  unpack = table.unpack,
  loadstring = loadstring,
  setfenv = setfenv,
  getfenv = getfenv,
  module = module,
})

add(table, {
  getn = function(list)
    return #list
  end,
  maxn = largest_index,
  foreach = each_pair,
  foreachi = each_index,
  setn = function()
    error("'setn' is obsolete", 2)
  end,
})

add(string, { gfind = string.gmatch })

add(math, {
  mod = math.fmod,
  pow = function(base, exponent)
    return base ^ exponent
  end,
  log10 = function(number)
    return math.log(number, 10)
  end,
  ldexp = function(mantissa, exponent)
    return mantissa * 2.0 ^ exponent
  end,
  frexp = function(number)
    if number == 0 or number ~= number or number == math.huge or number == -math.huge then
      return number, 0
    end
    local exponent = math.floor(math.log(math.abs(number), 2)) + 1
    local mantissa = number / 2.0 ^ exponent
    -- The logarithm may be off by a hair at powers of two.
    if math.abs(mantissa) >= 1 then
      mantissa, exponent = mantissa / 2, exponent + 1
    elseif math.abs(mantissa) < 0.5 then
      mantissa, exponent = mantissa * 2, exponent - 1
    end
    return mantissa, exponent
  end,
  cosh = function(number)
    return (math.exp(number) + math.exp(-number)) / 2
  end,
  sinh = function(number)
    return (math.exp(number) - math.exp(-number)) / 2
  end,
  tanh = function(number)
    local double = math.exp(-2 * math.abs(number))
    local result = (1 - double) / (1 + double)
    return number < 0 and -result or result
  end,
})

add(package_table, { loaders = package_table.searchers, seeall = seeall })

return true
