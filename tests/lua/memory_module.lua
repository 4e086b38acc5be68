-- skynet.memory: counts of the process, of each service, and of this one; a skynet without jemalloc counts nothing
local skynet = require "skynet"
local memory = require "skynet.memory"
require "skynet.manager"

skynet.start(function()
  print("total", math.type(memory.total()))
  print("block", math.type(memory.block()))
  local info = memory.info()
  print("info", type(info))
  print("current", math.type(memory.current()))
  memory.dump()
  memory.dumpinfo()
  skynet.abort()
end)
