-- skynet.core: commands by text, sessions, addresses, clocks
local skynet = require "skynet"
local core = require "skynet.core"
require "skynet.manager"

skynet.start(function()
  print("genid", math.type(core.genid()), core.genid() ~= core.genid())
  print("now", math.type(core.now()), math.type(core.hpc()))
  print("harbor", core.harbor(skynet.self()))
  print("harbor of another", core.harbor(0x05000001))
  print("command", core.command "REG" == string.format(":%x", skynet.self()))
  print("command with argument", core.command("REG", ".core_functions"))
  print("query", core.command("QUERY", ".core_functions") == string.format(":%x", skynet.self()))
  print("addresscommand", core.addresscommand "REG" == skynet.self())
  print("addresscommand", core.addresscommand("QUERY", ".core_functions") == skynet.self())
  print("nothing", core.command("QUERY", ".nobody"), core.addresscommand("QUERY", ".nobody"))
  print("environment", core.command("GETENV", "no_such_key"))
  core.command("SETENV", "a_key a value")
  print("environment", core.command("GETENV", "a_key"))
  print("intcommand", math.type(core.intcommand("STAT", "mqlen")), math.type(core.intcommand("STAT", "message")))
  print("unknown", pcall(core.command, "NO_SUCH_COMMAND"))
  skynet.abort()
end)
