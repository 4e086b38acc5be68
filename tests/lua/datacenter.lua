-- skynet.datacenter is a tree of values for the whole network: set gives the old value, wait blocks until there is one.
local skynet = require "skynet"
require "skynet.manager"
local datacenter = require "skynet.datacenter"

skynet.start(function()
  print("get", datacenter.get "a", datacenter.get("a", "b"))
  print("set", datacenter.set("a", "b", 1))
  print("set", datacenter.set("a", "b", 2))
  print("get", datacenter.get("a", "b"), type(datacenter.get "a"), datacenter.get "a".b)
  print("set", datacenter.set("a", "c", { 1, 2, x = "y" }))
  print("get", datacenter.get("a", "c").x, datacenter.get("a", "c", 2))
  print("nil", datacenter.set("a", "b", nil), datacenter.get("a", "b"))
  print("wait for a known one", datacenter.wait("a", "c", "x"))

  for i = 1, 2 do
    skynet.fork(function()
      print("waited", i, datacenter.wait("later", "key"))
    end)
  end
  skynet.sleep(5)
  datacenter.set("later", "other", 1)
  skynet.sleep(5)
  print "now"
  datacenter.set("later", "key", "value")
  skynet.sleep(5)

  -- Waiting for what becomes a branch fails; so does indexing a plain value.
  skynet.fork(function()
    print("branch", (pcall(datacenter.wait, "tree")))
  end)
  skynet.sleep(5)
  datacenter.set("tree", "leaf", 1)
  skynet.sleep(5)
  print("through a number", (pcall(datacenter.get, "tree", "leaf", "x", "y")))
  print(datacenter.get("tree", "leaf"))
  skynet.abort()
end)
