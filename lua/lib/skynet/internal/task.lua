--- What `skynet.uniqtask` and `skynet.killthread(text)` do with the threads the engine gives them.
---
--- Invariant: the lists are snapshots; a thread may be gone when its turn comes.
--- Not here: finding and ending threads (src/bindings/skynet/task.rs).

local skynet = require "skynet"

local task = {}

--- Sessions that a group names; the rest shows as dots.
local NAMED_SESSIONS = 9

--- Groups waiting threads by their traceback.
---@param pending table { session, thread, session, thread, ... }
---@return table<string, string> groups "N\tsessions:[a,b]\n" -> traceback
function task.unique(pending)
  local groups = {}
  for i = 1, #pending, 2 do
    local traceback = skynet.task(pending[i])
    local group = groups[traceback]
    if not group then
      group = { count = 0, sessions = {} }
      groups[traceback] = group
    end
    group.count = group.count + 1
    if group.count <= NAMED_SESSIONS then
      group.sessions[group.count] = pending[i]
    end
  end
  local result = {}
  for traceback, group in pairs(groups) do
    local more = group.count > NAMED_SESSIONS and "..." or ""
    local head = ("%d\tsessions:[%s%s]\n"):format(group.count, table.concat(group.sessions, ","), more)
    result[head] = traceback
  end
  return result
end

--- Ends the first thread whose name matches.
---@param text string pattern for `tostring(thread)`
---@param candidates thread[]
---@return thread? killed nothing when none matches
function task.kill(text, candidates)
  for _, thread in ipairs(candidates) do
    if tostring(thread):find(text) then
      return skynet.killthread(thread)
    end
  end
end

return task
