--- `socket.lock` and `socket.unlock`: the right to write on a socket, passed on in turn.
local skynet = require "skynet"

local lock = {}

--- Who waits, by socket; the first of a list has the right.
---@type table<integer, thread[]>
local queues = {}

--- Waits for the right to write on a socket. **Yields.**
---@param id integer
function lock.lock(id)
  local queue = queues[id]
  local self = coroutine.running()
  if not queue then
    queues[id] = { self }
    return
  end
  queue[#queue + 1] = self
  skynet.wait(self)
end

--- Passes the right on.
---@param id integer
function lock.unlock(id)
  local queue = assert(queues[id], "the socket is not locked")
  table.remove(queue, 1)
  if queue[1] then
    skynet.wakeup(queue[1])
  else
    queues[id] = nil
  end
end

return lock
