--- Service `service_cell NAME`: turns into what a dumped function makes of it.
---
--- Invariant: the function runs once, by the command `init`; when it fails the service ends, which
--- is the answer to that command. Its `skynet.start` runs the start function here and now, because
--- the service has started long ago.
--- Not here: who may have which name (service_provider.lua).

local skynet = require "skynet"
local internal = require "skynet.internal"

local name = ...

local function run(code, ...)
  local main = assert(internal.load_function(code, name))
  local start = skynet.start
  local start_function
  skynet.start = function(f)
    start_function = f
  end
  main(...)
  skynet.start = start
  if start_function then
    start_function()
  end
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, command, ...)
    if command ~= "init" then
      error(("service_cell %s: unknown command %s"):format(name, command), 0)
    end
    local ok, why = xpcall(run, internal.traceback, ...)
    if ok then
      skynet.ret()
    else
      skynet.error(("init service failed: %s"):format(why))
      skynet.exit()
    end
  end)
end)
