-- Requests without handler and responses without session go to replaceable functions; such calls fail.
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol { name = "mute", id = 60, pack = skynet.packstring, unpack = skynet.unpack }
skynet.register_protocol { name = "raw", id = 61, pack = function(s) return s end, unpack = skynet.tostring }

skynet.start(function()
  local self = skynet.self()
  local default = skynet.dispatch_unknown_request(function(session, source, message, size, kind)
    print("request", session, source == self, skynet.tostring(message, size), kind)
  end)
  print(type(default))

  skynet.send(self, "raw", "known type")
  skynet.redirect(self, self, "raw", 0, "again")
  -- Type 62 is known to nobody: it is told by number.
  local core = require "skynet.core"
  core.send(self, 62, 0, "unknown type")
  skynet.sleep(5)

  -- With a session the sender gets an error and the function is not asked.
  print("call", (pcall(skynet.call, self, "raw", "called")))
  core.redirect(self, self, 62, 5, "called")
  skynet.sleep(5)

  default = skynet.dispatch_unknown_response(function(session, source, message, size)
    print("response", session, source == self, skynet.tostring(message, size))
  end)
  print(type(default))
  skynet.redirect(self, self, "response", 99999, "late")
  skynet.redirect(self, self, "response", 0, "zero")
  skynet.sleep(5)
  print(type(skynet.dispatch_unknown_response(print)), type(skynet.dispatch_unknown_request(print)))
  skynet.abort()
end)
