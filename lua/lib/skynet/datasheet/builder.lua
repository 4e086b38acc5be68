--- skynet.datasheet.builder: makes and replaces the sheets that skynet.datasheet shows.
---
--- Invariant: a builder updates only what it has made.

local dump = require "skynet.datasheet.dump"
local helper = require "skynet.internal.shared"

local builder = {}

--- Names of the sheets that this service has made.
local made = {}

--- Publishes a sheet. One of the same name that another service has made is replaced.
---@param name string
---@param value table|string a table, or what `compile` gave
function builder.new(name, value)
  if made[name] then
    error(("datasheet '%s' exists already"):format(name), 2)
  end
  helper.publish("sheet", "any", name, value)
  made[name] = true
end

--- Publishes a newer version of a sheet.
---@param name string
---@param value table|string
function builder.update(name, value)
  if not made[name] then
    error(("datasheet '%s' was not made here"):format(name), 2)
  end
  helper.publish("sheet", "any", name, value)
end

--- The bytes of a sheet.
---@param value table
---@return string
function builder.compile(value)
  return dump.dump(value)
end

return builder
