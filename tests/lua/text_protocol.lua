-- The text protocol passes plain strings; an empty string arrives as a null pointer of size 0, so as an empty string.
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol {
  name = "text", id = skynet.PTYPE_TEXT,
  pack = function(text) return text end,
  unpack = function(message, size)
    return type(message), size, message and skynet.tostring(message, size)
  end,
}

skynet.start(function()
  local self = skynet.self()
  skynet.dispatch("text", function(session, source, kind, size, text)
    print(session == 0 and "send" or "call", source == self, kind, size, ("%q"):format(text))
    if session ~= 0 then
      skynet.ret(text:upper())
    end
  end)

  skynet.send(self, "text", "plain")
  skynet.send(self, "text", "")
  skynet.send(self, "text", "a\0b")
  print(skynet.call(self, "text", "called"))
  print(skynet.call(self, "text", ""))
  print(pcall(skynet.send, self, "text") == false)
  skynet.abort()
end)
