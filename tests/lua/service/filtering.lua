-- Helper: starts through skynet.filter, which turns type 90 into lua before it is dispatched.
local skynet = require "skynet"
require "skynet.manager"

skynet.filter(function(kind, message, size, session, source)
  if kind == 90 then
    kind = skynet.PTYPE_LUA
  end
  return kind, message, size, session, source
end, function()
  skynet.dispatch("lua", function(session, _, ...)
    if session == 0 then
      print("filtered send", ...)
    else
      skynet.retpack("filtered", ...)
    end
  end)
  skynet.sleep(1)
  print "filtering started"
end)
