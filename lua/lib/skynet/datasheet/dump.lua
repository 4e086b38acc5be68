--- skynet.datasheet.dump: the bytes of a sheet.

local skynet = require "skynet"
local core = require "skynet.datasheet.core"

local dump = {
  undump = core.undump,
  diff = core.diff,
}

--- The bytes of a table: an array from 1 on, names, and in it integers of 32 bits, floats of 32
--- bits, booleans, strings and such tables.
---@param value table
---@return string
function dump.dump(value)
  -- What says by `__pairs` what is in it is made a plain table first.
  return core.dump(value) or core.dump(skynet.unpack(skynet.packstring(value)))
end

return dump
