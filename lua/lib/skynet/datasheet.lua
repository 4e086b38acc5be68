--- skynet.datasheet: read-only tables of compact values that all services of the node share.
---
--- Invariant: a sheet is there once in the process; a service has views, which show the latest
--- version from the next message on. Nothing here yields.
--- Not here: making sheets (builder.lua), views (native module `skynet.shared`).

local skynet = require "skynet"
local shared = require "skynet.shared"

local datasheet = {}

--- The sheet `name`. It shows updates by itself.
---@param name string
---@return table
function datasheet.query(name)
  local view = shared.query("sheet", name)
  if not view then
    -- skynet asks a service, and all it hears is that the call has failed.
    skynet.error(("datasheet: there is no sheet '%s' (create data first)"):format(name))
    error("call failed", 2)
  end
  return view
end

return datasheet
