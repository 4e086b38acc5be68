--- Schemas of sproto that all services of a node share, in numbered slots.
local core = require "sproto.core"
local parser = require "sprotoparser"
local sproto = require "sproto"

---@class sprotoloader
local loader = {}

--- Puts the schema of a bundle into a slot, 0 to 15.
---@param bundle string
---@param index? integer 0 by default
function loader.save(bundle, index)
  core.saveproto(assert(core.newproto(bundle)), index)
end

--- Puts the schema in a file into a slot, 0 to 15.
---@param filename string
---@param index? integer 0 by default
function loader.register(filename, index)
  local file, reason = io.open(filename, "rb")
  if not file then
    error("Can't open sproto file: " .. reason, 0)
  end
  local text = file:read "a"
  file:close()
  loader.save(parser.parse(text, filename), index)
end

--- The schema in a slot. Raises when there is none.
---@param index? integer 0 by default
---@return sproto
function loader.load(index)
  return sproto.sharenew(core.loadproto(index))
end

return loader
