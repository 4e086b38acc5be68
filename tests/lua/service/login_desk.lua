-- Helper: a login server. Its token is "user@server:password"; the users' secrets go to the service that asks.
local skynet = require "skynet"
local login = require "snax.loginserver"

local told

login {
  host = "127.0.0.1",
  port = 0,
  name = "login_desk",
  instance = 2,
  multilogin = false,
  auth_handler = function(token)
    local user, server, password = token:match "^([^@]*)@([^:]*):(.*)$"
    assert(password == "password", "Invalid password")
    return server, user
  end,
  login_handler = function(server, uid, secret)
    return skynet.call(told, "lua", "login", server, uid, secret)
  end,
  command_handler = function(command, ...)
    if command == "tell" then
      told = ...
    end
    return command, ...
  end,
}
