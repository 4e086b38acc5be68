--- What scripts of the embedded store see: protected globals, and errors as strings.
---
--- Invariant: nothing a script does to its globals or the libraries is seen by the next one.

local host, libraries = ...

local error, next, rawset, select, setmetatable, tostring =
  error, next, rawset, select, setmetatable, tostring
local native_pcall, native_xpcall, native_load = pcall, xpcall, load
local readonly = "Attempt to modify a readonly table"

local protected = setmetatable({}, { __mode = "k" })

--- A table that shows `inner` and cannot be changed.
local function protect(inner, is_global)
  local outer = {}
  local function walk(_, key)
    return next(inner, key)
  end
  setmetatable(outer, {
    __index = is_global and function(_, key)
      local value = inner[key]
      if value == nil then
        error("Script attempted to access nonexistent global variable '" .. tostring(key) .. "'", 2)
      end
      return value
    end or inner,
    __newindex = function()
      error(readonly, 2)
    end,
    __pairs = function(t)
      return walk, t, nil
    end,
    __metatable = false,
  })
  protected[outer] = true
  return outer
end

--- What a script gets of an error that it has caught.
local function caught(ok, ...)
  if ok then
    return true, ...
  end
  return false, host.caught((...))
end

local globals = {
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next,
  pairs = pairs, rawequal = rawequal, rawget = rawget, rawlen = rawlen, select = select,
  setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type,
  unpack = table.unpack, _VERSION = _VERSION,
}

local environment = protect(globals, true)
globals._G = environment

function globals.pcall(...)
  return caught(native_pcall(...))
end

function globals.xpcall(body, handler, ...)
  return native_xpcall(body, function(failure)
    return handler(host.caught(failure))
  end, ...)
end

function globals.rawset(t, key, value)
  if protected[t] then
    error(readonly, 2)
  end
  return rawset(t, key, value)
end

--- Text alone: a prepared chunk could be anything.
function globals.load(chunk, name, _, env)
  return native_load(chunk, name, "t", env == nil and environment or env)
end

function globals.loadstring(chunk, name)
  return native_load(chunk, name, "t", environment)
end

-- Random numbers of the store's own: those of the C library belong to the whole process.
local state
local function seed(number)
  state = (math.floor(number) & 0xffffffff) << 16 | 0x330e
end
seed(host.seed)
local function random()
  state = (state * 0x5deece66d + 0xb) & 0xffffffffffff
  return (state >> 17) % 0x7fffffff / 0x7fffffff
end

local mathematics = {}
for name, value in next, math do
  mathematics[name] = value
end
mathematics.pow = function(base, exponent)
  return base ^ exponent
end
mathematics.randomseed = function(number)
  seed(number)
end
mathematics.random = function(...)
  local low, high = 1, (...)
  if select("#", ...) == 0 then
    return random()
  elseif select("#", ...) == 2 then
    low, high = ...
  end
  if low > high then
    error("bad argument #" .. select("#", ...) .. " to 'random' (interval is empty)", 2)
  end
  return math.floor(random() * (high - low + 1)) + math.floor(low)
end

local tables = {}
for name, value in next, table do
  tables[name] = value
end
tables.getn = function(t)
  return #t
end

globals.string = protect(string)
globals.table = protect(tables)
globals.math = protect(mathematics)
for name, library in next, libraries do
  globals[name] = protect(library)
end
getmetatable("").__index = globals.string
getmetatable("").__metatable = false

--- Runs a script; gives true and its result, or false and what is known of the error.
local function run(script, keys, arguments)
  globals.KEYS, globals.ARGV = keys, arguments
  return native_xpcall(script, host.failure)
end

return environment, run
