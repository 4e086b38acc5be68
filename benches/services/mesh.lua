-- one node of a mesh (mesh.sh): when the file `go` is there it calls every other node, and says so
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local bench = require "bench"

skynet.start(function()
  local me, go = assert(skynet.getenv "me"), assert(skynet.getenv "go")
  skynet.dispatch("lua", function(_, _, ...)
    skynet.retpack(...)
  end)
  cluster.register "mesh"
  cluster.open(me)
  -- The first link and the first connection make what all share.
  cluster.call(me, "@mesh", 0)
  print "READY"
  skynet.fork(function()
    local file
    repeat
      skynet.sleep(5)
      file = io.open(go)
    until file
    file:close()
    for number = 1, bench.param("nodes", 2) do
      local other = "n" .. number
      for call = 1, other == me and 0 or 20 do
        assert(cluster.call(other, "@mesh", call) == call)
      end
    end
    print "LINKED"
  end)
end)
