-- config: logservice = "snlua"
-- config: logger = "captured_log"
-- skynet.error joins its arguments through tostring with single spaces and sends them, as they are, to the logger.
local skynet = require "skynet"
require "skynet.manager"

local function show()
  local text, source = skynet.call(".logger", "lua", "take", "^test")
  print(("%q"):format(text), source == skynet.self())
end

skynet.start(function()
  skynet.error "test one"
  show()
  skynet.error("test", 1, 2.0, 1.5, true, false, nil)
  show()
  skynet.error("test  inner  spaces ", "", "end")
  show()
  skynet.error("test", setmetatable({}, { __tostring = function() return "by __tostring" end }))
  show()
  skynet.error "test\nwith\ttwo lines"
  show()
  skynet.error("test " .. ("x"):rep(1000))
  local text = skynet.call(".logger", "lua", "take", "^test")
  print(#text)
  skynet.error "test %d %s percent"
  show()

  -- No argument at all is logged like nil.
  skynet.error()
  skynet.error(nil)
  print("nils", skynet.call(".logger", "lua", "count", "^nil$"))

  print("number from __tostring", (pcall(skynet.error, setmetatable({}, { __tostring = function() return 1 end }))))
  skynet.abort()
end)
