--- Service `.cslave` of a node that is alone (harbor = 0): keeps the global names.
---
--- Invariant: the node knows each global name as soon as it is taken, and sends to its owner.
--- Not here: who owns what (skynet/internal/global_names.lua), other nodes (service/cslave.lua),
--- and the way of a message sent to a global name.

local skynet = require "skynet.manager"
local internal = require "skynet.internal"
local names = require "skynet.internal.global_names"

local commands = {}

function commands.REGISTER(name, address)
  internal.global_name(name, names.take(name, address))
  skynet.ret()
end

function commands.QUERYNAME(name)
  names.answer(name)
end

--- Answers when the harbor goes down; here there is none.
function commands.LINK()
  skynet.ret()
end

--- Would answer when the harbor comes up, which never happens.
function commands.CONNECT()
  skynet.ignoreret()
  skynet.error("Can't connect to other harbor in single node mode")
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, command, ...)
    local handler = commands[command]
    if not handler then
      error(("unknown command %s of .cslave"):format(command), 0)
    end
    handler(...)
  end)
  -- It would carry messages to other harbors. Nothing comes to it here.
  skynet.launch("harbor", 0, skynet.self())
end)
