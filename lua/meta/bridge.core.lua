---@meta bridge.core
-- LuaLS annotations of the native module `bridge.core`: messages, open requests and machines of
-- transfers, for `lua/lib/bridge`. Not for scripts. What is what: docs/bridge.md.

---@class bridge.core.link : userdata
---@class bridge.core.transfer : userdata

---@class bridge.core
local core = {}

--- A transfer of the receiver that came without an id, from a plain peer.
---@param link bridge.core.link
---@param uid string
---@param id string one of this side
---@param command string
---@param session? string
---@param purse "shared"|"own"|"none"
---@param way "answer"|"request"|"found"
---@param member? string that is removed with it
---@param giver string
---@param at integer milliseconds since 1970
---@param fields table<string, string|integer>
---@return bridge.core.transfer
function core.adopt(link, uid, id, command, session, purse, way, member, giver, at, fields) end

--- The answer to a request, or another word on it.
---@param link bridge.core.link
---@param uid string
---@param command string of the request
---@param session? string
---@param fields? table<string, string|number|boolean>
---@param error? string
---@param prefix? string `rsp_` if absent
---@param id? string
---@return string message
function core.answer(link, uid, command, session, fields, error, prefix, id) end

--- A transfer of the giver that was found in Redis and is to be given back.
---@param link bridge.core.link
---@param uid string
---@param id string
---@param record string
---@param purse "shared"|"own"|"none"
---@return bridge.core.transfer
function core.cancel(link, uid, id, record, purse) end

--- Forgets an open request.
---@param link bridge.core.link
---@param session integer
---@return boolean was_open
function core.close(link, session) end

--- Closes a request whose deadline is not after `now`.
---@param link bridge.core.link
---@param now integer
---@return integer? session
function core.expire(link, now) end

--- A new transfer of the giver.
---@param link bridge.core.link
---@param uid string
---@param id string
---@param command string
---@param session string
---@param mode "pull"|"push"
---@param purse "shared"|"own"|"none"
---@param at integer milliseconds since 1970
---@param fields? table<string, string|integer> amounts, or the fields of a command
---@return bridge.core.transfer
function core.give(link, uid, id, command, session, mode, purse, at, fields) end

--- The id of a new transfer.
---@param link bridge.core.link
---@return string
function core.id(link) end

--- What a stored member says; nil and why when it is no message.
---@param link bridge.core.link
---@param bytes string
---@return string? command
---@return table<string, string>|string fields
---@return string? session
---@return string? id
function core.member(link, bytes) end

--- A link from `own` to `peer`.
---@param own string
---@param peer string
---@param plain? boolean the peer knows the plain protocol alone
---@return bridge.core.link
function core.new(own, peer, plain) end

--- A message that wants no answer.
---@param link bridge.core.link
---@param uid string
---@param command string
---@param fields? table<string, string|number|boolean>
---@return string message
function core.notice(link, uid, command, fields) end

--- How many requests are open.
---@param link bridge.core.link
---@return integer
function core.open(link) end

--- What a message is: `"answer", session, fields`, `"request", command, uid, fields, session, id,
--- member`, `"word", command, uid, fields, session, id`; nil and why when it is none.
---@param link bridge.core.link
---@param bytes string
---@return "answer"|"request"|"word"|nil kind
---@return any ...
function core.receive(link, bytes) end

--- What a record says; nil when it is none.
---@param link bridge.core.link
---@param bytes string
---@return string? state
---@return string giver
---@return string command
---@return "pull"|"push" mode
---@return integer at
---@return table<string, string> fields
---@return string session
function core.record(link, bytes) end

--- A request, which is open from now on.
---@param link bridge.core.link
---@param uid string
---@param command string
---@param fields? table<string, string|number|boolean>
---@param deadline integer for `expire`
---@return string message
---@return integer session
function core.request(link, uid, command, fields, deadline) end

--- A transfer of the giver that was found in Redis.
---@param link bridge.core.link
---@param uid string
---@param id string
---@param record string
---@param purse "shared"|"own"|"none"
---@return bridge.core.transfer
function core.resume(link, uid, id, record, purse) end

--- The script that Redis runs.
---@return string
function core.script() end

--- A session that `receive` does not wait for.
---@param link bridge.core.link
---@return integer
function core.session(link) end

--- Tells a machine what has happened and says what is to be done: `"step", operation, id, purse,
--- arguments`, `"send", message`, `"await"`, `"take", id, wanted`, `"give", id, amounts`, `"done", outcome, ...`.
---@param transfer bridge.core.transfer
---@param event string
---@param detail? table|string
---@return string effect
---@return any ...
function core.step(transfer, event, detail) end

--- A transfer of the receiver.
---@param link bridge.core.link
---@param uid string
---@param id string
---@param command string
---@param session? string
---@param purse "shared"|"own"|"none"
---@param way "answer"|"request"|"found"
---@param member? string that is removed with it
---@return bridge.core.transfer
function core.take(link, uid, id, command, session, purse, way, member) end

return core
