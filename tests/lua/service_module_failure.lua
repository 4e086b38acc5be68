-- skynet.service refuses functions with upvalues, and remembers a failed start.
local skynet = require "skynet"
require "skynet.manager"
local service = require "skynet.service"

local upvalue = "x"

skynet.start(function()
  print("upvalue", (pcall(service.new, "upvalue", function() return upvalue, print end)))
  print("no upvalue at all", (pcall(service.new, "none", function() return 1 end)))

  local function broken()
    print "broken runs"
    error "broken main function"
  end
  print("raises", (pcall(service.new, "broken", broken)))
  print("again", (pcall(service.new, "broken", broken)))
  print("query", (pcall(service.query, "broken")))
  skynet.abort()
end)
