local skynet = require "skynet"

local next_node, done
local command = {}

function command.link(addr)
  next_node = addr
  skynet.retpack(true)
end

function command.start(hops)
  done = skynet.response()
  skynet.send(next_node, "lua", "token", hops - 1)
end

function command.token(hops)
  if hops == 0 then
    done(true, true)  -- hops is a multiple of the ring size: ends where it began
  else
    skynet.send(next_node, "lua", "token", hops - 1)
  end
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, cmd, arg)
    command[cmd](arg)
  end)
end)
