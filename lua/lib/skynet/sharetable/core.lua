--- skynet.sharetable.core: shared tables by hand; `skynet.sharetable` does not need it.

local shared = require "skynet.shared"
local object = require "skynet.sharedata.core"
local helper = require "skynet.internal.shared"

local core = {
  is_sharedtable = shared.is_view,
  stackvalues = shared.stack_values,
}

---@class skynet.sharetable.matrix
---@field pointer lightuserdata?
---@field bytes integer
local matrix = {}
matrix.__index = matrix

--- What stands for the table, to be sent to other services.
function matrix:getptr()
  return self.pointer
end

--- Bytes that the table takes.
function matrix:size()
  return self.bytes
end

--- Forgets the table; who has it keeps it.
function matrix:close()
  if self.pointer then
    object.delete(self.pointer)
    self.pointer = nil
  end
end

matrix.__gc = matrix.close

--- Shares the table that a source returns.
---@param source string Lua text, or `"@"` and a file name
---@param ... any its arguments
---@return skynet.sharetable.matrix
function core.matrix(source, ...)
  local _, result = helper.run("sharetable", source, ...)
  local pointer, bytes = shared.object(result, "table", true)
  return setmetatable({ pointer = pointer, bytes = bytes }, matrix)
end

--- The table that a pointer of a matrix stands for.
---@param pointer lightuserdata
---@return table
function core.clone(pointer)
  return shared.view(pointer, "table")
end

return core
