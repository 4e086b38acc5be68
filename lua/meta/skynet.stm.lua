---@meta skynet.stm
-- LuaLS annotations of the native module `skynet.stm`: a message that one service writes and others
-- read.

---@class skynet.stm.writer : userdata
---@overload fun(message: string|lightuserdata, size?: integer)

---@class skynet.stm.reader : userdata
---@overload fun(f: fun(message: lightuserdata, size: integer, value: any): ..., value?: any): boolean, ...

---@class skynet.stm
local stm = {}

--- What readers are made from, in any service of the node.
---@param writer skynet.stm.writer
---@return lightuserdata
function stm.copy(writer) end

--- A writer with its first message, which is taken over.
---@param message string|lightuserdata
---@param size? integer
---@return skynet.stm.writer
function stm.new(message, size) end

--- A reader. Called with a function, it passes a message that it has not passed before.
---@param copy lightuserdata
---@return skynet.stm.reader
function stm.newcopy(copy) end

return stm
