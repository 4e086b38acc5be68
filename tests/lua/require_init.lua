-- since: 1.5
-- skynet.init belongs to the module being loaded: from the main chunk it waits for the start, else for its end.
local skynet = require "skynet"
require "skynet.manager"

package.path = "tests/lua/modules/?.lua;" .. package.path
package.preload.in_main = function()
  skynet.init(function()
    print("init of in_main", select(2, coroutine.running()))
  end)
  print "in_main loaded"
  return true
end

require "in_main"
skynet.init(function()
  print "init of the main chunk"
end)

skynet.start(function()
  print "start function"
  print("ready on return", require("waits").ready)
  print("skynet.require", require "skynet.require".require == require)
  skynet.abort()
end)
