-- Helper: reads an stm object of another service.
local skynet = require "skynet"
local stm = require "skynet.stm"

local reader
skynet.start(function()
  skynet.dispatch("lua", function(_, _, what, copy)
    if what == "attach" then
      reader = stm.newcopy(copy)
      skynet.ret()
    else
      skynet.retpack(reader(skynet.unpack))
    end
  end)
end)
