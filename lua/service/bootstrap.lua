--- Service bootstrap: starts the services a node consists of, then the one the config names.
---
--- Invariant: a node that cannot get as far as service_mgr ends; from there on a failure is only
--- logged. What a step needs is running before the step begins.
--- Not here: what the services do. TLS needs no step of its own, it is part of the binary.

local skynet = require "skynet.manager"
local internal = require "skynet.internal"

--- An error without the place in this file where it was raised: the log has the cause above.
local function plain(why)
  return (tostring(why):gsub("^lua/service/bootstrap%.lua:%d+: ", ""))
end

--- Runs one step. The node cannot do without it: its failure is logged and ends the process.
---@return any result nil after a failure
local function step(what, run, ...)
  local ok, result = pcall(run, ...)
  if ok and result then
    return result
  end
  skynet.error(("bootstrap: %s failed: %s"):format(what, ok and "no service" or plain(result)))
  internal.start_failed()
  skynet.abort()
  return nil
end

--- Starts a service and names it.
local function start_as(name, service)
  local address = skynet.newservice(service)
  if address then
    skynet.name(name, address)
  end
  return address
end

--- The service behind global names and other harbors.
local function start_slave(harbor, standalone)
  if harbor == 0 then
    if not step("harbor = 0", assert, not standalone, "standalone must not be set with it") then
      return nil
    end
    skynet.setenv("standalone", "true")
    return step("cdummy", start_as, ".cslave", "cdummy")
  end
  if standalone and not step(("cmaster (standalone = %s)"):format(standalone),
      skynet.newservice, "cmaster") then
    return nil
  end
  return step(("cslave (harbor = %d; harbor = 0 is a node by itself)"):format(harbor),
    start_as, ".cslave", "cslave")
end

--- The node can live without it, so an absent datacenterd is no reason to end.
local function start_datacenter()
  if not internal.service_exists "datacenterd" then
    return
  end
  local ok, why = pcall(start_as, "DATACENTER", "datacenterd")
  if not ok then
    skynet.error(("bootstrap: no datacenter: %s"):format(plain(why)))
  end
end

local function start_node()
  local launcher = step("launcher", skynet.launch, "snlua", "launcher")
  if not launcher then
    return
  end
  skynet.name(".launcher", launcher)

  local harbor = tonumber(skynet.getenv "harbor") or 0
  if not start_slave(harbor, skynet.getenv "standalone") then
    return
  end
  if skynet.getenv "standalone" then
    start_datacenter()
  end
  -- It takes the names `.service` and, on the standalone node, `SERVICE` by itself.
  if not step("service_mgr", skynet.newservice, "service_mgr") then
    return
  end

  local start = skynet.getenv "start" or "main"
  local ok, why = pcall(skynet.newservice, start)
  if not ok then
    skynet.error(("bootstrap: start = \"%s\" failed: %s"):format(start, plain(why)))
  end
  skynet.exit()
end

skynet.start(start_node)
