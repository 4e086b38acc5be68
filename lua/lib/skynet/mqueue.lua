--- skynet.mqueue: requests of the type "queue", which a service handles strictly one after another,
--- also when its handler blocks. An old module: new scripts take `skynet.queue`.
---
--- Invariant: the next request begins when the one before it has ended, however it did.
--- Not here: sections that several handlers share (skynet/queue.lua).

local skynet = require "skynet"

local mqueue = {}

--- Requests that wait; `first` to `last`.
local line, first, last = {}, 1, 0
local busy = false
local handler

---@class mqueue.request
---@field session integer
---@field source integer
---@field answer? fun(ok: boolean, ...: any)
---@field arguments table packed

--- What the answer carries: whether the handler returned, then its results or the error.
local function conclude(request, ok, ...)
  if request.session ~= 0 then
    request.answer(true, ok, ...)
    return
  end
  local sender, own = skynet.address(request.source), skynet.address(skynet.self())
  if not ok then
    error(("[%s] send a message to [%s] throw an error : %s"):format(sender, own, (...)), 0)
  elseif select("#", ...) > 0 then
    error(("[%s] send a message to [%s] return something"):format(sender, own), 0)
  end
end

--- Handles what waits, and what comes meanwhile. A fork goes on when a request raises.
local function work()
  while first <= last do
    local request = line[first]
    line[first] = nil
    first = first + 1
    local arguments = request.arguments
    local ok, why = pcall(conclude, request,
      pcall(handler, table.unpack(arguments, 1, arguments.n)))
    if not ok then
      skynet.fork(work)
      error(why, 0)
    end
  end
  busy = false
end

skynet.register_protocol {
  name = "queue",
  id = skynet.PTYPE_QUEUE,
  pack = skynet.pack,
  unpack = skynet.unpack,
  dispatch = function(session, source, ...)
    if not handler then
      error("mqueue: no handler is registered", 0)
    end
    last = last + 1
    line[last] = {
      session = session,
      source = source,
      answer = session ~= 0 and skynet.response() or nil,
      arguments = table.pack(...),
    }
    if not busy then
      busy = true
      work()
    end
  end,
}

--- Sets the handler of this service's queue, once.
---@param f fun(...): ...
function mqueue.register(f)
  if handler then
    error("mqueue: a handler is registered already", 2)
  end
  handler = f
end

local function results_or_raise(ok, ...)
  if ok then
    return ...
  end
  error((...), 0)
end

--- Calls a service's queue. **Yields.** Raises the error of its handler.
---@param address skynet.address
---@param ... any
---@return any ...
function mqueue.call(address, ...)
  return results_or_raise(skynet.call(address, "queue", ...))
end

--- Sends to a service's queue.
---@param address skynet.address
---@param ... any
function mqueue.send(address, ...)
  return skynet.send(address, "queue", ...)
end

--- How many requests wait behind the one being handled.
---@return integer
function mqueue.size()
  return last - first + 1
end

return mqueue
