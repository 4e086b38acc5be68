---@meta skynet.http.codec
-- LuaLS annotations of the native module `skynet.http.codec`, which is not for scripts. Where a
-- function answers `false`, a status code follows that tells a client why.

---@class skynet.http.codec
local codec = {}

--- Takes as much of a chunked body off `bytes` as there is. Phases: 0 at first, -3 at the end, in
--- between whatever came; a positive one is what is left of the running chunk, -2 stands behind
--- the last one.
---@param bytes string
---@param phase integer
---@return string|false data
---@return integer used how many bytes are used up
---@return integer phase
---@return string? lines the fields behind the last chunk, with their empty line
function codec.dechunk(bytes, phase) end

--- Adds header fields to `header`, as `request` does.
---@param lines string each with its end, and an empty line behind them
---@param header table
---@return table|false header
---@return integer? status
function codec.fields(lines, header) end

--- The length of a body, "chunked", or nil when neither field says it.
---@param content_length string|string[]|integer|nil
---@param transfer_encoding string|string[]|nil
---@return integer|"chunked"|false|nil
---@return integer? status
function codec.framing(content_length, transfer_encoding) end

--- How long the head is that the bytes begin with; nil when it is not whole.
---@param bytes string
---@param known? integer so many of them were seen before
---@return integer?
function codec.head_end(bytes, known) end

--- Reads the head of a request; nil when it is not whole. Names in the header are in lower case, a
--- field that came more than once is a list.
---@param bytes string
---@param known? integer so many of them were seen before
---@return string|false|nil method
---@return string|integer|nil target
---@return table? header
---@return integer? length of the head
function codec.request(bytes, known) end

--- Reads the head of a response; nil when it is not whole.
---@param bytes string
---@param known integer? so many of them were seen before
---@param header table the fields are added to it
---@return integer|false|nil status
---@return table|integer|nil header
---@return integer? length of the head
---@return boolean? at_least_1_1
function codec.response(bytes, known, header) end

return codec
