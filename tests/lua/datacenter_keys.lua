-- skynet.datacenter: a key alone loses its value; without keys there is nothing.
local skynet = require "skynet"
require "skynet.manager"
local datacenter = require "skynet.datacenter"

skynet.start(function()
  datacenter.set("plain", 1)
  datacenter.set("tree", "leaf", 2)
  print("without keys", (datacenter.get()))
  print("set", datacenter.set "plain")
  print("get", (datacenter.get "plain"))
  print("set", datacenter.set "tree".leaf)
  print("get", (datacenter.get "tree"), (datacenter.get("tree", "leaf")))
  print("never was", (datacenter.set "other"))
  print("no key", (pcall(datacenter.set)))
  skynet.abort()
end)
