-- A service that exits inside its start function makes newservice give nothing; one killed then makes it fail.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local function show(...)
    print(select("#", ...), ...)
  end
  show(skynet.newservice "leaver")
  show(skynet.newservice("leaver", "after_sleep"))
  print("killed", (pcall(skynet.newservice, "leaver", "kill")))
  skynet.abort()
end)
