-- Helper: a server of messages. Words change what it does with a request.
local skynet = require "skynet"
local msgserver = require "snax.msgserver"

local handled = 0
local handlers = { expired_number = 4 }

function handlers.register_handler(name)
  print("registered", name)
end

function handlers.login_handler(uid, secret)
  local name = msgserver.username(uid, "7", "desk")
  msgserver.login(name, secret)
  return name
end

function handlers.logout_handler(uid, subid)
  msgserver.logout(msgserver.username(uid, subid, "desk"))
  return "out"
end

function handlers.kick_handler(uid, subid)
  local name = msgserver.username(uid, subid, "desk")
  return msgserver.ip(name) ~= nil, table.concat({ msgserver.userid(name) }, " ")
end

function handlers.disconnect_handler(username)
  print("disconnected", msgserver.userid(username))
end

function handlers.request_handler(username, message)
  handled = handled + 1
  if message == "fail" then
    error("request failed", 0)
  elseif message == "slow" then
    skynet.sleep(3)
  elseif message == "pass on" then
    return skynet.tostring(skynet.rawcall(".agent", "client", message))
  end
  return ("%s %s %d"):format((msgserver.userid(username)), message, handled)
end

msgserver.start(handlers)
