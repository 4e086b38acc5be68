-- Helper: a logger written in Lua that prints what starts with "test".
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol {
  name = "text", id = skynet.PTYPE_TEXT,
  unpack = skynet.tostring,
  dispatch = function(session, address, text)
    if text:find "^test" then
      print("userlog", session, address > 1, text)
    end
  end,
}

skynet.register_protocol {
  name = "SYSTEM", id = skynet.PTYPE_SYSTEM,
  unpack = function(_, size) return size end,
  dispatch = function(session, _, size)
    print("userlog reopens", session, size)
  end,
}

skynet.start(function() end)
