-- The service given to skynet.monitor gets an empty PTYPE_CLIENT message from every service that exits or is killed.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local monitor = skynet.monitor "undertaker"
  print(math.type(monitor), skynet.monitor("undertaker", true) == monitor)
  print("global service", skynet.queryservice(true, "undertaker") == monitor)

  local killed, exited = skynet.newservice "peer", skynet.newservice "peer"
  skynet.kill(killed)
  skynet.send(exited, "lua", "exit")
  skynet.sleep(5)
  print("fails", (pcall(skynet.newservice, "broken_start")))
  skynet.sleep(5)

  local deaths = skynet.call(monitor, "lua")
  local known = { [killed] = "killed", [exited] = "exited" }
  for i, death in ipairs(deaths) do
    print(i, known[death.address] or "other", death.session, death.size)
  end
  print("missing", (pcall(skynet.monitor, "there_is_no_such_service")))
  skynet.abort()
end)
