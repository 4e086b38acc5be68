-- Names without a dot are global: they work on a single node too, and messages to an unknown one wait until it appears.
local skynet = require "skynet"
require "skynet.manager"
local harbor = require "skynet.harbor"

local function try(what, f, ...)
  print(what, (pcall(f, ...)))
end

skynet.start(function()
  local peer = skynet.newservice "peer"

  -- Sent before the name exists: never an error, delivered later in order.
  print("send", skynet.send("LATER", "lua", "note", "early"))
  skynet.fork(function()
    print("pending call", skynet.call("LATER", "lua", "echo", "answered"))
  end)
  skynet.sleep(5)
  print "now it gets a name"
  skynet.name("LATER", peer)
  skynet.sleep(5)
  skynet.send("LATER", "lua", "note", "late")
  print("seen", skynet.call("LATER", "lua", "seen"))
  print("queryname", harbor.queryname "LATER" == peer)
  print("local", skynet.localname "LATER")

  skynet.register "SELF"
  print("register", harbor.queryname "SELF" == skynet.self())
  harbor.globalname("VIA_HARBOR", peer)
  print("globalname", harbor.queryname "VIA_HARBOR" == peer)
  skynet.name(".dot", peer)
  print("queryname of a local name", harbor.queryname ".dot" == peer)

  -- queryname waits for a name.
  skynet.fork(function()
    print("waited", harbor.queryname "SOON" == peer)
  end)
  skynet.sleep(5)
  skynet.name("SOON", peer)
  skynet.sleep(5)

  try("starts with :", skynet.name, ":name", peer)
  try("number", skynet.name, "123", peer)
  try("hex number", skynet.name, "0x1F", peer)
  try("17 bytes", skynet.name, "12345678901234567", peer)
  try("15 bytes", skynet.name, "N23456789012345", peer)
  try("register number", skynet.register, "123")
  print(skynet.call("N23456789012345", "lua", "echo", "by 15 bytes"))
  skynet.abort()
end)
