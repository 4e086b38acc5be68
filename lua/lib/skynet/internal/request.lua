--- Objects of skynet.request: several calls at once, answers in the order in which they come.
---
--- Invariant: each request of a selection ends in one of three ways: its answer is yielded once,
--- or it is abandoned by a timeout or by `close`, and then its late answer is swallowed.
--- Not here: cancelling. The callee still works on an abandoned request, and the coroutine that
--- waits for the answer lives until it comes.

local skynet = require "skynet"

local pcall, pack, unpack = pcall, table.pack, table.unpack

---@class skynet.request
---@field timeout true? set when a selection ran out of time
local Request = {}
Request.__index = Request

local function append(self, request)
  if type(request) ~= "table" then
    error(("request: %s instead of a table { address, type, ... }"):format(type(request)), 3)
  elseif self.selected then
    error("request: cannot add to a selection that has begun", 3)
  end
  self[#self + 1] = request
end

--- Adds a request: { address, type, arguments... }; `n` counts all of it when the end is nil.
---@param request table
---@return skynet.request self
function Request:add(request)
  append(self, request)
  return self
end

Request.__call = Request.add

local function wake(self)
  if self.waiting then
    self.waiting = false
    skynet.wakeup(self)
  end
end

local function wait(self)
  self.waiting = true
  skynet.wait(self)
end

--- An answer as `select` yields it: false stands for a failed call, nil for a bad address.
local function deliver(self, request, response)
  if self.closed then
    return
  end
  local last = self.last + 1
  self.last = last
  self.answers[last] = { request, response }
  wake(self)
end

local function call(self, request)
  local answer = pack(pcall(skynet.call, unpack(request, 1, request.n or #request)))
  if answer[1] then
    deliver(self, request, pack(unpack(answer, 2, answer.n)))
  elseif self.sent then
    deliver(self, request, false)
  elseif tostring(answer[2]):find("call to invalid address", 1, true) then
    deliver(self, request, nil)
  else
    -- A mistake in the request itself; it belongs to the caller of `select`.
    self.mistake = self.mistake or { answer[2] }
  end
end

--- Starts all calls. They run in coroutines of their own, so the last one started tells us when
--- every message is out; only from then on an error means an error of the callee.
local function send_all(self)
  for i = 1, #self do
    skynet.fork(call, self, self[i])
  end
  skynet.fork(function()
    self.sent = true
    wake(self)
  end)
  repeat
    wait(self)
  until self.sent
end

--- The next answer, or nothing at the end.
local function next_answer(self)
  while not self.closed and self.given < #self do
    local given = self.given + 1
    local answer = self.answers[given]
    if answer then
      self.given = given
      self.answers[given] = nil
      return answer[1], answer[2]
    elseif self.timeout then
      break
    end
    wait(self)
  end
  self:close()
end

--- Sends all requests and yields (request, response) pairs as they are answered; response is a
--- packed table, false for a failed call, nil for an address that does not exist. **Yields.**
---@param timeout? integer centiseconds, for the whole loop; `self.timeout` tells when it struck
---@return fun(self: skynet.request): table?, table|false|nil
---@return skynet.request
---@return nil
---@return skynet.request closing value of the loop, where the language knows one
function Request:select(timeout)
  if self.selected then
    error("request: selected twice", 2)
  end
  self.selected = true
  self.answers, self.last, self.given = {}, 0, 0
  send_all(self)
  if self.mistake then
    self:close()
    error(self.mistake[1], 0)
  end
  if timeout and not self.closed then
    skynet.timeout(timeout, function()
      if not self.closed then
        self.timeout = true
        wake(self)
      end
    end)
  end
  return next_answer, self, nil, self
end

--- Abandons what is not answered yet and ends a running loop.
function Request:close()
  if self.closed then
    return
  end
  self.closed, self.selected = true, true
  self.answers = {}
  wake(self)
end

Request.__close = Request.close

--- Makes a request object.
---@param request? table as for `add`
---@return skynet.request
local function new(request)
  local self = setmetatable({}, Request)
  if request ~= nil then
    append(self, request)
  end
  return self
end

return { new = new }
