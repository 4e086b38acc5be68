--- skynet.remotedebug: lets a person look into a living service and step through a handler.
---
--- Invariant: while nothing is stopped the service works as ever; a stopped thread stops alone, and
--- leaving the debugger sets it free. One debugger a service.
--- Not here: how lines get here (skynet/debugchannel), who types them (service/debug_agent.lua),
--- running a piece in a stopped function (skynet/injectcode.lua).
---
--- A line is run as Lua, its results shown. It sees `print`, and `watch(type [, condition])`, which
--- stops the next request of that type whose (session, source, ...) satisfies the condition. While
--- a thread is stopped a line sees the variables of its function, and `_CO`, the thread itself; and
--- `s` goes on to the next line, `n` to the next one of this function, `c` leaves it alone. `cont`
--- leaves the debugger.

local skynet = require "skynet"
local debugchannel = require "skynet.debugchannel"
local socketdriver = require "skynet.socketdriver"
local injectcode = require "skynet.injectcode"

local sethook = debugchannel.sethook

local remotedebug = {}

--- How often it looks for a line, in centiseconds.
local LOOK = 10

local OWN_SOURCE = debug.getinfo(1, "S").short_src

--- A debugger, while there is one.
local active

local function printer(fd)
  return function(...)
    local words = table.pack(...)
    for index = 1, words.n do
      words[index] = tostring(words[index])
    end
    words[#words + 1] = "\n"
    socketdriver.send(fd, table.concat(words, "\t"))
  end
end

local function idle_prompt()
  return ("%s>"):format(skynet.address(skynet.self()))
end

local function show_prompt(self, text)
  self.prompt, self.shown = text, false
end

--- Lets go of the thread being stepped through.
local function release(self)
  local step = self.step
  self.step = nil
  if step then
    sethook(step.thread)
    show_prompt(self, idle_prompt())
    if step.stopped then
      skynet.wakeup(step.thread)
    end
  end
end

--- The hook of a thread being stepped through. True stops it.
local function on_event(event, line)
  local self = active
  local step = self and self.step
  if not step then
    return sethook()
  elseif event == "call" then
    step.depth = step.depth + 1
  elseif event == "return" then
    step.depth = step.depth - 1
    if step.depth < 0 then
      release(self)
    end
  elseif event == "line" and step.depth <= step.deepest then
    local source = debug.getinfo(2, "S").short_src
    if source ~= OWN_SOURCE then
      step.stopped = true
      show_prompt(self, ("%s(%d)>"):format(source, line))
      return true
    end
  end
end

--- Makes the next fitting request of a type stop at its first line.
local function watch(protocol, condition)
  local known, handler = pcall(skynet.dispatch, protocol)
  if not known or not handler then
    return (known and skynet._proto and skynet._proto[protocol]) and "No dispatch" or "No " .. protocol
  end
  if active.watched[protocol] then
    handler = active.watched[protocol]
  end
  active.watched[protocol] = handler
  skynet.dispatch(protocol, function(...)
    local self = active
    if self and not self.step and (not condition or condition(...)) then
      self.watched[protocol] = nil
      skynet.dispatch(protocol, handler)
      -- The first return is that of `sethook`.
      self.step = { thread = coroutine.running(), depth = 1, deepest = math.maxinteger }
      sethook(on_event, "crl")
    end
    return handler(...)
  end)
end

local steps = {}

function steps.s(step)
  step.deepest = math.maxinteger
end

function steps.n(step)
  step.deepest = step.depth
end

--- Runs a line, as an expression if it is one.
local function run(self, line)
  local step = self.step
  local co, level, extra
  if step and step.stopped then
    co, level, extra = step.thread, 0, { print = self.print, _CO = step.thread }
  else
    extra = { print = self.print, watch = watch }
  end
  local results = table.pack(injectcode("return " .. line, co, level, extra))
  if not results[1] then
    results = table.pack(injectcode(line, co, level, extra))
    if results[1] then
      return
    end
  end
  self.print(table.unpack(results, 2, results.n))
end

local function handle(self, line)
  local step = self.step
  if step and step.stopped and steps[line] then
    steps[line](step)
    step.stopped = false
    skynet.wakeup(step.thread)
    return
  elseif step and line == "c" then
    release(self)
    return
  elseif line:find "%S" then
    run(self, line)
  end
  self.shown = false
end

local function serve(self, channel)
  while true do
    if not self.shown and not (self.step and not self.step.stopped) then
      socketdriver.send(self.fd, self.prompt)
      self.shown = true
    end
    local line = channel:read()
    if line == "cont" then
      return
    elseif line then
      handle(self, line)
      skynet.yield()
    else
      skynet.sleep(LOOK)
    end
  end
end

--- Debugs this service until the line `cont` comes; answers the running request then. **Yields.**
---@param _export table what the dispatcher lends; not needed where it is native
---@param fd integer socket that the debugger writes to
---@param pointer lightuserdata of the channel that its lines come from
function remotedebug.start(_export, fd, pointer)
  if active then
    error("Already in debug mode", 0)
  end
  local channel = debugchannel.connect(pointer)
  local self = { fd = fd, print = printer(fd), prompt = idle_prompt(), shown = false, watched = {} }
  active = self
  skynet.error "Enter debug mode"
  local ok, why = pcall(serve, self, channel)
  release(self)
  for protocol, handler in pairs(self.watched) do
    skynet.dispatch(protocol, handler)
  end
  active = nil
  skynet.error "Leave debug mode"
  if not ok then
    error(why, 0)
  end
  skynet.ret()
end

return remotedebug
