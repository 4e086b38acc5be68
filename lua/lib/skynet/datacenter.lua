--- skynet.datacenter: values that every service of the network sees, in a tree.
---
--- Invariant: nothing is remembered here; each question goes to the one service that has the tree.
--- Not here: that service (service/datacenterd.lua).

local skynet = require "skynet"

local datacenter = {}

--- The value at a path, or nothing. **Yields.** Raises when the path goes through a plain value.
---@param ... any keys
---@return any value
function datacenter.get(...)
  return skynet.call("DATACENTER", "lua", "QUERY", ...)
end

--- Sets the value at a path; gives the one before it. **Yields.** Raises as `get`.
---@param ... any keys, then the value
---@return any before
function datacenter.set(...)
  return skynet.call("DATACENTER", "lua", "UPDATE", ...)
end

--- The value at a path, as soon as there is one. **Yields.** Raises when a value is set below it.
---@param ... any keys
---@return any value
function datacenter.wait(...)
  return skynet.call("DATACENTER", "lua", "WAIT", ...)
end

return datacenter
