--- skynet.sharedata: read-only tables that all services of the node share.
---
--- Invariant: a table is there once in the process; a service has views, which show the latest
--- version from the next message on. Nothing here yields.
--- Not here: views (native module `skynet.shared`).

local skynet = require "skynet"
local shared = require "skynet.shared"
local helper = require "skynet.internal.shared"

local sharedata = {}

local function value_of(name, value, ...)
  local kind = type(value)
  if kind == "table" then
    return value
  elseif kind == "nil" then
    return {}
  elseif kind ~= "string" then
    error("Unknown data type " .. kind, 3)
  end
  local globals, result = helper.run(name, value, ...)
  return type(result) == "table" and result or globals
end

local function view_of(name)
  local view = shared.query("data", name)
  if not view then
    -- skynet asks a service, and all it hears is that the call has failed.
    skynet.error(("sharedata: there is no table '%s'"):format(name))
    error("call failed", 3)
  end
  return view
end

--- The table `name`, read-only. It shows updates by itself.
---@param name string
---@return table
function sharedata.query(name)
  return view_of(name)
end

--- Publishes a new table.
---@param name string
---@param value table|string? a table, Lua text, `"@"` and a file name, or nothing
---@param ... any arguments of the text or file
function sharedata.new(name, value, ...)
  helper.publish("data", "new", name, value_of(name, value, ...))
end

--- Publishes a table in the place of the one that is there, if there is one.
---@param name string
---@param value table|string?
---@param ... any
function sharedata.update(name, value, ...)
  helper.publish("data", "any", name, value_of(name, value, ...))
end

--- Frees a name. Who has the table keeps it.
---@param name string
function sharedata.delete(name)
  if not shared.delete("data", name) then
    error(("sharedata: there is no table '%s'"):format(name), 2)
  end
end

--- Shows the latest versions at once, and lets go of the rest.
function sharedata.flush()
  shared.look_again()
  collectgarbage()
end

--- An ordinary copy of a table, or of the part that the keys lead to.
---@param name string
---@param ... any keys
---@return any
function sharedata.deepcopy(name, ...)
  return shared.copy(view_of(name), ...)
end

return sharedata
