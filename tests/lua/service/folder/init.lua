-- Helper: a service made of a folder; its modules are found beside it.
local skynet = require "skynet"
local neighbour = require "neighbour"

local globals = { name = SERVICE_NAME, path = SERVICE_PATH, words = select("#", ...), first = (...) }
skynet.start(function()
  skynet.dispatch("lua", function()
    skynet.retpack(globals.name, globals.path, globals.words, globals.first, neighbour.hello())
  end)
end)
