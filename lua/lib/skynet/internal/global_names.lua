--- The global names that a `.cslave` knows, and who asks for them.
---
--- Invariant: a name has one owner, the first that took it; every question for a name is answered
--- as soon as the name is known.
--- Not here: how the network hears of a name (service/cslave.lua, service/cdummy.lua).

local skynet = require "skynet.manager"

local names = {}

---@type table<string, integer>
local owners = {}
--- Unanswered questions by name.
---@type table<string, (fun(ok: boolean, handle: integer))[]>
local questions = {}

--- Owners by name, to be read.
---@type table<string, integer>
names.owners = owners

local function to_handle(address)
  if type(address) == "string" then
    local digits = address:match "^:(%x+)$"
    return digits and tonumber(digits, 16) or skynet.localname(address)
  end
  return address
end

--- A name is known now.
---@param name string
---@param handle integer
function names.learn(name, handle)
  owners[name] = handle
  local list = questions[name]
  questions[name] = nil
  for _, answer in ipairs(list or {}) do
    answer(true, handle)
  end
end

--- Gives a name to a service of this node. Raises when somebody has it, or there is no such
--- service.
---@param name string
---@param address skynet.address
---@return integer handle
function names.take(name, address)
  local handle = to_handle(address)
  if not handle then
    error(("global name '%s': no such service %s"):format(name, address), 0)
  elseif owners[name] then
    error(("global name '%s' belongs to %s already; %s does not get it")
      :format(name, skynet.address(owners[name]), skynet.address(handle)), 0)
  end
  names.learn(name, handle)
  return handle
end

--- Answers the current request with the owner of a name, at once or as soon as it is known.
---@param name string ".x" for a name of this process
---@return boolean first nobody has asked for it before
function names.answer(name)
  if name:byte() == 46 then -- '.'
    skynet.retpack(skynet.localname(name))
  elseif owners[name] then
    skynet.retpack(owners[name])
  else
    local first = not questions[name]
    questions[name] = questions[name] or {}
    table.insert(questions[name], skynet.response())
    return first
  end
  return false
end

return names
