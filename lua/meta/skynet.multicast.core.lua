---@meta skynet.multicast.core
-- LuaLS annotations of the native module `skynet.multicast.core`.

---@class skynet.multicast.core
local core = {}

--- Says how many services will close a package. Raises when that has been said before.
---@param message lightuserdata of `pack`, freed
---@param references integer
---@return lightuserdata package
function core.bind(message, references) end

--- Lets go of a package. Raises when it is none.
---@param package lightuserdata of `unpack`
function core.close(package) end

--- Gives the body of a publication to each service of a list, where `false` takes the place of those
--- who are gone; how many are. Without a list: channel and publisher of the publication.
---@param source integer named as the publisher if the publication names none
---@param subscribers (integer|false)[]?
---@param message skynet.message
---@param size? integer
---@return integer gone
---@return integer? publisher
function core.deliver(source, subscribers, message, size) end

--- The next channel of the same node.
---@param channel integer
---@return integer
function core.nextid(channel) end

--- A message of 8 bytes that names the package made of a message.
---@param message skynet.message
---@param size? integer
---@return lightuserdata message
---@return integer size
function core.pack(message, size) end

--- As `pack`, of bytes of another node.
---@param message skynet.message
---@param size? integer
---@return lightuserdata message
---@return integer size
function core.packremote(message, size) end

--- A message with its channel and publisher in front.
---@param channel integer
---@param publisher integer 0 stands for whoever sends it
---@param message skynet.message
---@param size? integer
---@return lightuserdata message
---@return integer size
function core.publication(channel, publisher, message, size) end

--- The bytes of a package, which ends.
---@param message lightuserdata of `pack`, freed
---@return lightuserdata bytes
---@return integer size
function core.remote(message) end

--- The package that a message names, and its bytes, which are there until it is closed.
---@param message lightuserdata
---@param size integer
---@return lightuserdata package
---@return lightuserdata bytes
---@return integer size
function core.unpack(message, size) end

return core
