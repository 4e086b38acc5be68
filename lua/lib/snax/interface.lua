--- snax.interface: reads the file of a snax service: which functions it has, in which order.
---
--- Invariant: whoever reads the same file gets the same numbers, caller and service alike; they
--- are what travels in messages.
--- Not here: running the functions (service/snaxd.lua), calling them (skynet/snax.lua).

local skynet = require "skynet"

--- Functions that a snax service may define as globals; their places are their numbers.
local SYSTEM = { "init", "exit", "hotfix", "profile" }

--- Finds `name` on a list of patterns; gives its function, whose globals are in `env`.
local function load_on_path(path, name, env)
  local failures = {}
  for pattern in path:gmatch "[^;]+" do
    local file = pattern:gsub("%?", (name:gsub("%%", "%%%%")))
    local main, why = loadfile(file, nil, env)
    if main then
      return main, pattern
    end
    failures[#failures + 1] = why
  end
  error(table.concat(failures, "\n"), 0)
end

--- A table that appends the functions assigned to it to `methods`.
local function collector(group, methods)
  local taken = {}
  return setmetatable({}, {
    __newindex = function(_, name, func)
      if type(name) ~= "string" then
        error(("%s method only support string"):format(group), 2)
      elseif type(func) ~= "function" then
        error(("%s.%s must be function"):format(group, name), 2)
      elseif taken[name] then
        error(("%s.%s duplicate definition"):format(group, name), 2)
      end
      taken[name] = true
      methods[#methods + 1] = { #methods + 1, group, name, func }
    end,
  })
end

---@alias snax.method { [1]: integer, [2]: "system"|"accept"|"response", [3]: string, [4]: function? }

--- Runs the file of the snax service `name` with `env` for its globals. Those that it sets stay
--- in `env`, but for its functions.
---@param name string
---@param env table without a metatable
---@param loader? fun(path: string, name: string, env: table): function, string
---@return snax.method[] methods in the order of their numbers
---@return string pattern of the path on which the file was found
return function(name, env, loader)
  for _, key in ipairs { "init", "exit", "accept", "response" } do
    if rawget(env, key) ~= nil then
      error(("snax %s: the global '%s' is taken already"):format(name, key), 2)
    end
  end
  assert(getmetatable(env) == nil, "snax: the globals have a metatable already")

  local methods, places = {}, {}
  for place, key in ipairs(SYSTEM) do
    places[key] = place
    methods[place] = { place, "system", key }
  end
  local groups = { accept = collector("accept", methods), response = collector("response", methods) }
  local globals = setmetatable({}, { __index = groups })

  local path = assert(skynet.getenv "snax", "please set snax in config file")
  local main, pattern = (loader or load_on_path)(path, name, env)
  setmetatable(env, {
    __index = globals,
    __newindex = function(_, key, value)
      local place = places[key]
      if not place then
        globals[key] = value
      elseif type(value) == "function" then
        methods[place][4] = value
      else
        error(("%s must be a function"):format(key), 2)
      end
    end,
  })
  local ok, why = xpcall(main, require("skynet.internal").traceback)
  setmetatable(env, nil)
  if not ok then
    error(why, 0)
  end
  for key, value in pairs(globals) do
    env[key] = value
  end
  return methods, pattern
end
