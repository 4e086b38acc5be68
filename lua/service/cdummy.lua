--- Service `.cslave` of a node that is alone (harbor = 0): keeps the global names.
---
--- Invariant: a global name has one owner for the life of the node, the first that took it; every
--- question for a name is answered as soon as the name is known.
--- Not here: other nodes (service/cslave.lua), and the way of a message sent to a global name.

local skynet = require "skynet.manager"
local internal = require "skynet.internal"

---@type table<string, integer>
local owners = {}
--- Unanswered questions by name.
---@type table<string, (fun(ok: boolean, handle: integer))[]>
local questions = {}

local commands = {}

local function to_handle(address)
  if type(address) == "string" then
    local digits = address:match "^:(%x+)$"
    return digits and tonumber(digits, 16) or skynet.localname(address)
  end
  return address
end

function commands.REGISTER(name, address)
  local handle = to_handle(address)
  if not handle then
    error(("global name '%s': no such service %s"):format(name, address), 0)
  elseif owners[name] then
    error(("global name '%s' belongs to %s already; %s does not get it")
      :format(name, skynet.address(owners[name]), skynet.address(handle)), 0)
  end
  owners[name] = handle
  internal.global_name(name, handle)
  local waiting = questions[name]
  questions[name] = nil
  for _, answer in ipairs(waiting or {}) do
    answer(true, handle)
  end
  skynet.ret()
end

function commands.QUERYNAME(name)
  if name:byte() == 46 then -- '.'
    skynet.retpack(skynet.localname(name))
  elseif owners[name] then
    skynet.retpack(owners[name])
  else
    questions[name] = questions[name] or {}
    table.insert(questions[name], skynet.response())
  end
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
