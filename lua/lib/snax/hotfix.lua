--- snax.hotfix: replaces functions of a running snax service.
---
--- Invariant: a replacement that does not fit changes nothing; one that does shares the variables
--- of the function before it.
--- Not here: reading the source's functions (snax/interface.lua), who asks (service/snaxd.lua).

local read_interface = require "snax.interface"

--- Calls `visit(index, name, value)` for each upvalue.
local function each_upvalue(func, visit)
  local index = 1
  local name, value = debug.getupvalue(func, index)
  while name do
    visit(index, name, value)
    index = index + 1
    name, value = debug.getupvalue(func, index)
  end
end

--- What tells the globals of one function from those of another; nil when it uses none.
local function globals_of(func)
  local identity
  each_upvalue(func, function(index, name)
    if name == "_ENV" then
      identity = debug.upvalueid(func, index)
    end
  end)
  return identity
end

--- Adds where the variables of `func` are, and of the functions of the same file that it uses.
local function collect(func, variables, file)
  each_upvalue(func, function(index, name, value)
    local identity = debug.upvalueid(func, index)
    local known = variables[name]
    if known then
      if known.identity ~= identity then
        error(("ambiguity local value %s"):format(name), 0)
      end
      return
    end
    variables[name] = { func = func, index = index, identity = identity }
    if type(value) == "function" and globals_of(value) == file then
      collect(value, variables, file)
    end
  end)
end

--- Joins the variables of `func` that have no value of its own to those of their names.
local function join(func, variables, env, seen)
  if seen[func] then
    return
  end
  seen[func] = true
  each_upvalue(func, function(index, name, value)
    if value == nil or value == env then
      local old = variables[name]
      if old then
        debug.upvaluejoin(func, index, old.func, old.index)
      end
    elseif type(value) == "function" then
      join(value, variables, env, seen)
    end
  end)
end

local function find(methods, group, name)
  for _, method in ipairs(methods) do
    if method[2] == group and method[3] == name then
      return method
    end
  end
end

local function patch(methods, source, ...)
  local env = {}
  for key, value in pairs(_ENV) do
    env[key] = value
  end
  local replacements = read_interface("patch", env, function(_, _, globals)
    return assert(load(source, "=patch", nil, globals))
  end)

  local variables = { _ENV = { func = collect, index = 1 } }
  each_upvalue(collect, function(index, name)
    if name == "_ENV" then
      variables._ENV.index = index
    end
  end)
  local own = {}
  for _, method in ipairs(methods) do
    if method[4] then
      collect(method[4], own, globals_of(method[4]))
    end
  end
  for name, variable in pairs(own) do
    variables[name] = variable
  end

  local pairs_of = {}
  for _, replacement in ipairs(replacements) do
    local _, group, name, func = table.unpack(replacement)
    if func then
      local method = find(methods, group, name)
        or error(("Patch mismatch %s.%s"):format(group, name), 0)
      pairs_of[#pairs_of + 1] = { method, func }
    end
  end
  for _, pair in ipairs(pairs_of) do
    join(pair[2], variables, env, {})
    pair[1][4] = pair[2]
  end

  local hotfix = find(replacements, "system", "hotfix")[4]
  if hotfix then
    return hotfix(...)
  end
end

--- Replaces functions among `methods` by those that `source` defines, and runs its `hotfix`.
---@param methods snax.method[]
---@param source string
---@param ... any handed to `hotfix`
---@return boolean ok
---@return any ... results of `hotfix`, or the error
return function(methods, source, ...)
  return pcall(patch, methods, source, ...)
end
