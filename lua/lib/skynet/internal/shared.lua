--- What skynet.sharedata, sharetable and datasheet have in common: getting a table from what a
--- script gives, and publishing it.
---
--- Invariant: the source of a table runs in the service that asks for it, under its sandbox.
--- Not here: the tables themselves (native module `skynet.shared`).

local skynet = require "skynet"
local shared = require "skynet.shared"

local helper = {}

--- What a table's source sees: the globals of the service; its own globals stay apart.
local globals = { __index = _G }

--- Runs `source`, Lua text or `"@"` and a file name. Returns the table of its globals and what it
--- returned.
---@param name string shown in errors of a text
---@param source string
---@return table globals
---@return any result
function helper.run(name, source, ...)
  local environment = setmetatable({}, globals)
  local chunk, message
  if source:sub(1, 1) == "@" then
    chunk, message = loadfile(source:sub(2), nil, environment)
  else
    chunk, message = load(source, "=" .. name, nil, environment)
  end
  if not chunk then
    error(message, 0)
  end
  local result = chunk(...)
  return setmetatable(environment, nil), result
end

--- Publishes `value` under `name`; see `shared.publish`. What says by `__pairs` what is in it is
--- made a plain table first, as it would be on its way to another service.
---@param kind "data"|"table"|"sheet"
---@param how "new"|"replace"|"any"
---@param name string
---@param value table|string
---@param strict boolean? refuse metatables
function helper.publish(kind, how, name, value, strict)
  if not shared.publish(kind, how, name, value, strict) then
    shared.publish(kind, how, name, skynet.unpack(skynet.packstring(value)))
  end
end

return helper
