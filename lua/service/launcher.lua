--- Service `.launcher`: starts services for others and knows which run.
---
--- Invariant: whoever asks for a launch is answered exactly once: with the address when the start
--- function of the new service has returned, with nothing when it ended by itself before that, and
--- with an error otherwise.
--- Not here: services started by skynet.launch; they are not listed.

local skynet = require "skynet.manager"
local core = require "skynet.core"

local addresscommand = core.addresscommand
local concat = table.concat
local response = skynet.response

--- Command line of each running service.
---@type table<integer, string>
local services = {}

---@class launch
---@field answer fun(ok: boolean, ...)
---@field session integer of the request, in `source`
---@field source integer

--- Services whose start function has not returned yet.
---@type table<integer, launch>
local pending = {}

--- Commands that answer with what they return, and those that answer elsewhere or never.
local queries, actions = {}, {}

local function launch(session, source, kind, ...)
  local line = kind .. " " .. concat({ ... }, " ")
  local answer = response()
  local address = addresscommand("LAUNCH", line)
  if not address then
    answer(false)
    return nil
  end
  services[address] = line
  pending[address] = { answer = answer, session = session, source = source }
  return address
end

actions.LAUNCH = launch

--- Like LAUNCH, with a log of every message of the new service.
function actions.LOGLAUNCH(session, source, ...)
  local address = launch(session, source, ...)
  if address then
    core.command("LOGON", skynet.address(address))
  end
end

--- Sent by a service whose start function has returned.
function actions.LAUNCHOK(_, address)
  local started = pending[address]
  if started then
    pending[address] = nil
    started.answer(true, address)
  end
end

--- Sent by a service that could not start.
function actions.ERROR(_, address)
  local failed = pending[address]
  services[address] = nil
  if failed then
    pending[address] = nil
    failed.answer(false)
  end
end

--- Sent when a service exits by itself or is killed.
function actions.REMOVE(_, _, address, killed)
  local ended = pending[address]
  services[address] = nil
  if ended then
    pending[address] = nil
    ended.answer(not killed)
  end
end

function queries.LIST()
  local list = {}
  for address, line in pairs(services) do
    list[skynet.address(address)] = line
  end
  return list
end

--- Puts a debug question to every service at once. A service that does not answer within
--- `timeout` centiseconds shows as TIMEOUT, one that fails as ERROR.
local function survey(question, timeout, describe)
  local request = skynet.request()
  local report = {}
  for address in pairs(services) do
    request:add { address, "debug", question }
    report[skynet.address(address)] = "TIMEOUT"
  end
  for asked, answer in request:select(timeout) do
    local address = asked[1]
    report[skynet.address(address)] = answer and describe(answer[1], address) or "ERROR"
  end
  return report
end

function queries.STAT(_, timeout)
  return survey("STAT", timeout, function(figures)
    return figures
  end)
end

function queries.MEM(_, timeout)
  return survey("MEM", timeout, function(kilobytes, address)
    return ("%.2f Kb (%s)"):format(kilobytes, services[address])
  end)
end

function queries.GC(source, timeout)
  -- Both messages keep their order in each service, so what MEM finds is what the collector left.
  for address in pairs(services) do
    skynet.send(address, "debug", "GC")
  end
  return queries.MEM(source, timeout)
end

function queries.KILL(_, target)
  local address = target
  if type(target) == "string" then
    local digits = target:match "^:(%x+)$"
    address = digits and tonumber(digits, 16) or skynet.localname(target)
  end
  if not address then
    return {}
  end
  local killed = { [skynet.address(address)] = tostring(services[address]) }
  skynet.kill(address)
  services[address] = nil
  return killed
end

--- The service that is being launched for the request `session` of the asking service.
function queries.QUERY(source, session)
  for address, launched in pairs(pending) do
    if launched.session == session and launched.source == source then
      return address
    end
  end
  return nil
end

skynet.register_protocol {
  name = "text",
  id = skynet.PTYPE_TEXT,
  unpack = skynet.tostring,
  dispatch = function(session, address, text)
    if text == "ERROR" then
      actions.ERROR(session, address)
    elseif text == nil or text == "" then
      actions.LAUNCHOK(session, address)
    else
      error(("unknown text command %q from %s"):format(text, skynet.address(address)), 0)
    end
  end,
}

skynet.dispatch("lua", function(session, source, command, ...)
  local action = actions[command]
  if action then
    action(session, source, ...)
    return
  end
  local upper = tostring(command):upper()
  local query = queries[upper]
  if query then
    skynet.retpack(query(source, ...))
  elseif actions[upper] then
    actions[upper](session, source, ...)
  else
    skynet.retpack({ "Unknown command" })
  end
end)

skynet.start(function() end)
