-- Errors that are no texts, and errors in finalizers and in making texts of errors.
-- expect: error in __gc metamethod
-- expect: this __tostring fails
-- expect: '__tostring' must return a string
local skynet = require "skynet"

skynet.start(function()
  skynet.fork(error, {})
  skynet.fork(error, nil)
  skynet.fork(error, 12)
  skynet.fork(error, print)
  skynet.fork(error, setmetatable({}, { __tostring = function() error "this __tostring fails" end }))
  skynet.fork(error, setmetatable({}, { __tostring = function() return {} end }))
  skynet.fork(error, setmetatable({}, { __tostring = function(self) error(self) end }))
  skynet.fork(function()
    setmetatable({}, { __gc = function() error {} end })
    collectgarbage()
  end)
  skynet.sleep(1)
  setmetatable({}, { __gc = function() error "this __gc fails" end })
  collectgarbage()
end)
