-- Reads structures of the schemas in slots.
local skynet = require "skynet"
local loader = require "sprotoloader"

skynet.start(function()
  skynet.dispatch("lua", function(_, _, slot, name, bytes)
    local value = loader.load(slot):decode(name, bytes)
    skynet.retpack(value.number or value.name, value.texts and table.concat(value.texts, " ") or value.id)
  end)
end)
