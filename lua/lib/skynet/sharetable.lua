--- skynet.sharetable: tables that all services of the node share, each service in the version it
--- asked for until it wants the latest.
---
--- Invariant: a table is there once in the process. A service has views, to which the functions of
--- Lua (`next`, `pairs`, `rawget`, `table.unpack` …) apply as to tables. Nothing here yields.
--- Not here: views (native module `skynet.shared`).

local shared = require "skynet.shared"
local helper = require "skynet.internal.shared"

local sharetable = {}

--- As skynet has it, arguments come from another Lua state, so they are plain values.
local plain = { boolean = true, number = true, userdata = true, ["function"] = true }

local function check_arguments(...)
  for position = 1, select("#", ...) do
    local kind = type((select(position, ...)))
    if not plain[kind] then
      error(("bad argument #%d of the table's source (Type invalid: %s)"):format(position, kind), 4)
    end
  end
end

local function load_source(name, source, ...)
  check_arguments(...)
  local _, result = helper.run(name, source, ...)
  helper.publish("table", "any", name, result, true)
end

--- Publishes the table that a file returns, under the file's name.
---@param filename string
---@param ... boolean|number|lightuserdata|function arguments of the file
function sharetable.loadfile(filename, ...)
  load_source(filename, "@" .. filename, ...)
end

--- Publishes the table that a Lua text returns.
---@param name string
---@param source string the text, or `"@"` and a file name
---@param ... boolean|number|lightuserdata|function arguments of the text
function sharetable.loadstring(name, source, ...)
  load_source(name, source, ...)
end

--- Publishes a table.
---@param name string
---@param value table
function sharetable.loadtable(name, value)
  if type(value) ~= "table" then
    error(("bad argument #2 to 'loadtable' (table expected, got %s)"):format(type(value)), 2)
  end
  helper.publish("table", "any", name, value)
end

--- The latest version of a table, or nothing.
---@param name string
---@return table?
function sharetable.query(name)
  return shared.query("table", name)
end

--- The latest versions of the tables named, or of all, by name.
---@param names string[]?
---@return table<string, table>
function sharetable.queryall(names)
  local tables = {}
  if names then
    for _, name in ipairs(names) do
      tables[name] = shared.query("table", name)
    end
  else
    for name in pairs(shared.names "table") do
      tables[name] = shared.query("table", name)
    end
  end
  return tables
end

--- Every table of these names that this service holds, wherever it holds it, and every part of
--- one, becomes the latest version. A part that is no more is empty from then on.
---@param ... string names
function sharetable.update(...)
  for _, name in ipairs { ... } do
    shared.update(name)
  end
end

return sharetable
