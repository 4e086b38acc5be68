--- skynet.inject: runs a piece of source inside a living service.
---
--- Invariant: the piece sees the globals of the service but its own new globals stay its own; what
--- it prints is returned, not written.
--- Not here: reading the source from a file, and the command that brings it (skynet/debug.lua).

--- Adds the tables among the upvalues of `func`, and of the functions among them, to `found`.
local function collect_tables(func, found, seen)
  if seen[func] then
    return
  end
  seen[func] = true
  local index = 1
  local name, value = debug.getupvalue(func, index)
  while name do
    if type(value) == "table" and name ~= "" then -- those of C functions are nameless
      found[name] = value
    elseif type(value) == "function" then
      collect_tables(value, found, seen)
    end
    index = index + 1
    name, value = debug.getupvalue(func, index)
  end
end

--- The upvalue tables of each handler, by the name of its protocol.
local function protocol_tables(skynet)
  local names = { lua = true } -- built in, so not in the table of the registered ones
  for name in pairs(skynet._proto or {}) do
    names[name] = true
  end
  local tables = {}
  for name in pairs(names) do
    local handler = type(name) == "string" and skynet.dispatch(name)
    if handler then
      tables[name] = {}
      collect_tables(handler, tables[name], {})
    end
  end
  return tables
end

--- Runs `source`. It sees `_P` (the upvalue tables of each protocol's handler, as in
--- `_P.lua.CMD`), `_U` (those of the given functions) and a `print` whose lines are returned.
--- **Yields** when the source does.
---@param skynet table
---@param source string
---@param filename? string shown in error texts
---@param args table packed arguments of the chunk, with `n`
---@param ... function functions whose upvalues become `_U`
---@return boolean ok
---@return string[] output printed lines, after a failure also its text
return function(skynet, source, filename, args, ...)
  if type(source) ~= "string" then
    return false, { ("source is a %s (string expected)"):format(type(source)) }
  end

  local printed = {}
  local function print_line(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i])
    end
    printed[#printed + 1] = table.concat(words, "\t")
  end

  local outer, seen = {}, {}
  for i = 1, select("#", ...) do
    collect_tables((select(i, ...)), outer, seen)
  end
  local environment = setmetatable({
    print = print_line,
    _U = outer,
    _P = protocol_tables(skynet),
  }, { __index = _ENV })

  local chunkname = filename and ("@" .. filename) or "=(load)"
  local chunk, why = load(source, chunkname, "t", environment)
  if not chunk then
    return false, { why }
  end
  local ok, failure = pcall(chunk, table.unpack(args, 1, args.n))
  if not ok then
    printed[#printed + 1] = tostring(failure)
  end
  return ok, printed
end
