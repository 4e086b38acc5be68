--- skynet.injectcode: runs a piece of source as if it stood in a function that is on a stack.
---
--- Invariant: assignments of the piece reach the local variables and upvalues of that function;
--- what it cannot see there are variables that the function does not have.
--- Not here: choosing coroutine and level (skynet/remotedebug.lua).

--- Levels between a caller of this module and the `debug.getinfo` here, on the same coroutine.
local OWN_LEVELS = 2

--- The local variables at `level`: names in order, slot and value of the innermost of each name.
local function locals_of(co, level)
  local slots, values, names = {}, {}, {}
  local slot = 1
  local name, value = debug.getlocal(co, level, slot)
  while name do
    if name:match "^[%a_][%w_]*$" then
      if not slots[name] then
        names[#names + 1] = name
      end
      slots[name], values[name] = slot, value
    end
    slot = slot + 1
    name, value = debug.getlocal(co, level, slot)
  end
  return names, slots, values
end

local function extra_arguments(co, level)
  local list = { n = 0 }
  while true do
    local name, value = debug.getlocal(co, level, -(list.n + 1))
    if not name then
      return list
    end
    list.n = list.n + 1
    list[list.n] = value
  end
end

local function upvalues_of(f)
  local indices = {}
  local index = 1
  local name = debug.getupvalue(f, index)
  while name do
    if name:match "^[%a_]" then
      indices[name] = index
    end
    index = index + 1
    name = debug.getupvalue(f, index)
  end
  return indices
end

--- Runs `source` in the function at `level` of `co`. The names in `extra` are seen beside its
--- variables.
---@param source string
---@param co? thread the running one without it
---@param level? integer 0 is the innermost function
---@param extra? table<string, any>
---@return boolean ok
---@return any ... results, or the error
return function(source, co, level, extra)
  local running = coroutine.running()
  co, level = co or running, level or 0
  -- On the running coroutine the functions of this file have levels too: the level as it is seen
  -- from here, and from the helpers.
  local here, below = level, level
  if co == running then
    here, below = level + OWN_LEVELS, level + OWN_LEVELS + 1
  end
  local info = debug.getinfo(co, here, "f")
  local f = info and info.func
  if not f then
    return false, "Invalid level"
  end

  local names, slots, values = locals_of(co, below)
  local arguments = extra_arguments(co, below)
  local upvalues = upvalues_of(f)

  -- The variables are upvalues of the piece: those of `f` itself are joined, copies of the others
  -- are written back afterwards.
  local seen, list = {}, {}
  local function add(name)
    if not seen[name] and name ~= "_ENV" then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  for _, name in ipairs(names) do
    add(name)
  end
  for name in pairs(upvalues) do
    add(name)
  end
  for name in pairs(extra or {}) do
    add(name)
  end
  local declared = #list > 0 and "local " .. table.concat(list, ",") .. " " or ""
  local wrapped = ("%sreturn function(...)\n%s\nend"):format(declared, source)
  local chunk, why = load(wrapped, "=(debug)", "t")
  if not chunk then
    return false, why
  end
  local piece = chunk()

  local own = upvalues_of(piece)
  for name, index in pairs(own) do
    if slots[name] then
      debug.setupvalue(piece, index, values[name])
    elseif extra and extra[name] ~= nil then
      debug.setupvalue(piece, index, extra[name])
    elseif upvalues[name] then
      debug.upvaluejoin(piece, index, f, upvalues[name])
    end
  end
  -- A local hides an upvalue of its name, so `_ENV` is that of `f` unless it is a local there.
  local results = table.pack(pcall(piece, table.unpack(arguments, 1, arguments.n)))
  if results[1] then
    for name, slot in pairs(slots) do
      if own[name] then
        local _, value = debug.getupvalue(piece, own[name])
        debug.setlocal(co, here, slot, value)
      end
    end
  end
  return table.unpack(results, 1, results.n)
end
