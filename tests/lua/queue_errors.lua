-- An error inside a queued function is raised again with its traceback, and the queue goes on to the next waiter.
local skynet = require "skynet"
require "skynet.manager"
local queue = require "skynet.queue"

local function show(what, ok, message)
  print(what, ok, type(message), message:match "boom", message:match "stack traceback" )
end

skynet.start(function()
  local lock = queue()
  show("first", pcall(lock, function() error "boom" end))
  print("free", lock(function() return "yes" end))

  for i = 1, 3 do
    skynet.fork(function()
      show("task " .. i, pcall(lock, function()
        skynet.sleep(1)
        if i == 2 then
          error("boom", 0)
        end
        error("boom " .. i)
      end))
    end)
  end
  skynet.sleep(10)

  show("inner", pcall(lock, function()
    local ok, message = pcall(lock, function() error "boom" end)
    print("caught inside", ok, type(message))
    error "boom again"
  end))
  print("free", lock(function() return "yes" end))

  -- The failed call of another service looks like any error.
  local peer = skynet.newservice "peer"
  local ok, message = pcall(lock, skynet.call, peer, "lua", "raise", "x")
  print(ok, message:match "call failed")
  skynet.abort()
end)
