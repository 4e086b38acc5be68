--- skynet.queue: a critical section between the coroutines of one service.
---
--- Invariant: at most one coroutine runs inside a section. Those that wait get it in the order they
--- came, and the section passes on whether the function returned or raised.
--- Not here: timeouts, and locks between services (a service runs on one thread at a time).

local skynet = require "skynet"

local running = coroutine.running
local traceback = require("skynet.internal").traceback
local wait, wakeup = skynet.wait, skynet.wakeup
local error, xpcall = error, xpcall

local function results_or_raise(ok, ...)
  if ok then
    return ...
  end
  error((...), 0)
end

--- Makes a critical section: `section(f, ...)` runs `f` alone and returns its results.
--- The section **yields** while another coroutine is inside; its owner may enter again.
--- An error of `f` is raised again as its traceback string.
---@return fun(f: fun(...): ...; ...): ...
local function new_section()
  local owner
  local line, first, last = {}, 1, 0

  local function leave(ok, ...)
    owner = nil
    while first <= last do
      local ticket = line[first]
      line[first] = nil
      first = first + 1
      -- Nobody else knows the ticket, so a failing wakeup means that its coroutine was killed.
      if wakeup(ticket) then
        owner = ticket[1]
        break
      end
    end
    return results_or_raise(ok, ...)
  end

  return function(f, ...)
    local thread = running()
    if owner == thread then
      return results_or_raise(xpcall(f, traceback, ...))
    elseif owner then
      local ticket = { thread }
      last = last + 1
      line[last] = ticket
      wait(ticket)
    else
      owner = thread
    end
    return leave(xpcall(f, traceback, ...))
  end
end

skynet.queue = new_section

return new_section
