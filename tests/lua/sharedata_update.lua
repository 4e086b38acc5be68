-- sharedata.update replaces the table for all readers by itself; parts that are gone raise, deleted tables stay held.
local skynet = require "skynet"
require "skynet.manager"
local sharedata = require "skynet.sharedata"

local function text(ok, message)
  return ok, (tostring(message):gsub("^.*:%d+: ", ""))
end

skynet.start(function()
  sharedata.new("data", { version = 1, part = { x = 1 }, gone = { y = 1 } })
  local reader = skynet.newservice "sharedata_reader"
  local data = sharedata.query "data"
  local part, gone = data.part, data.gone
  print(data.version, part.x, gone.y, skynet.call(reader, "lua", "data", "version"))

  sharedata.update("data", { version = 2, part = { x = 2 } })
  skynet.sleep(10)
  print(data.version, part.x, skynet.call(reader, "lua", "data", "version"))
  print("same table", sharedata.query "data" == data, data.part == part)
  print(text(pcall(function() return gone.y end)))
  print("gone", data.gone)

  -- update makes a table too.
  sharedata.update("fresh", { value = "fresh" })
  print(sharedata.query("fresh").value)

  print("new twice", (pcall(sharedata.new, "data", {})))
  print("unknown", text(pcall(sharedata.query, "nosuch")))

  sharedata.delete "data"
  skynet.sleep(10)
  print("deleted", (pcall(sharedata.query, "data")))
  print("what we hold", data.version)
  sharedata.new("data", { version = 3 })
  print("made anew", sharedata.query("data").version)
  sharedata.flush()
  skynet.abort()
end)
