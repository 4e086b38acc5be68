-- skynet.service starts a service from a Lua function once per node; it may use only globals and its arguments.
local skynet = require "skynet"
require "skynet.manager"
local service = require "skynet.service"

local function counter(first, name)
  local skynet = require "skynet"
  local n = first
  print("started", first, name)
  skynet.dispatch("lua", function(_, _, step)
    n = n + step
    skynet.retpack(name, n)
  end)
end

local function starter(value)
  local skynet = require "skynet"
  skynet.start(function()
    skynet.dispatch("lua", function()
      skynet.retpack(value.key, SERVICE_NAME)
    end)
  end)
end

skynet.start(function()
  local address = service.new("counter", counter, 10, "n")
  print(math.type(address), skynet.call(address, "lua", 5))
  print("same", service.new("counter", counter, 99, "other") == address)
  print("query", service.query "counter" == address)
  print(skynet.call(address, "lua", 1))

  -- Its own skynet.start is optional; any value can be an argument.
  print(skynet.call(service.new("starter", starter, { key = "from a table" }), "lua"))

  -- query waits for a service.
  skynet.fork(function()
    print("waited", skynet.call(service.query "late", "lua", 1))
  end)
  skynet.sleep(5)
  service.new("late", counter, 0, "late one")
  skynet.sleep(5)

  -- Concurrent ones start it once.
  local addresses = {}
  for i = 1, 3 do
    skynet.fork(function()
      addresses[i] = service.new("shared", counter, i, "shared")
    end)
  end
  skynet.sleep(20)
  print(addresses[1] == addresses[2], addresses[2] == addresses[3])
  skynet.abort()
end)
