-- info_func, memlimit and reg_debugcmd: what a service tells about itself when it is asked
local skynet = require "skynet"
local debugger = require "skynet.debug"
require "skynet.manager"

skynet.start(function()
  skynet.info_func(function(...)
    return "state", ...
  end)
  debugger.reg_debugcmd("DOUBLE", function(number)
    skynet.ret(skynet.pack(number * 2))
  end)
  print("INFO", skynet.call(skynet.self(), "debug", "INFO", 1, 2))
  print("DOUBLE", skynet.call(skynet.self(), "debug", "DOUBLE", 21))
  skynet.info_func(function()
    error "no state"
  end)
  print("failing", (pcall(skynet.call, skynet.self(), "debug", "INFO")))
  skynet.abort()
end)
