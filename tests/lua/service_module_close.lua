-- since: 1.6
-- service.close kills a service made by service.new and tells whether there was one; it can then be made anew.
local skynet = require "skynet"
require "skynet.manager"
local service = require "skynet.service"

local function hello(name)
  local skynet = require "skynet"
  skynet.dispatch("lua", function()
    skynet.retpack("hello " .. name)
  end)
end

skynet.start(function()
  print("nothing there", service.close "hello")
  local address = service.new("hello", hello, "one")
  print(skynet.call(address, "lua"))
  print("close", service.close "hello")
  skynet.sleep(5)
  print("gone", (pcall(skynet.call, address, "lua")))
  print("close again", service.close "hello")

  local second = service.new("hello", hello, "two")
  print("another", second ~= address, skynet.call(second, "lua"))
  print("query", service.query "hello" == second)
  skynet.abort()
end)
