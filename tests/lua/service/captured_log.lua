-- Helper: the node's logger, which keeps the lines; `take(pattern)` gives the oldest match, waiting for it if need be.
local skynet = require "skynet"

local lines, waiting = {}, {}

skynet.register_protocol {
  name = "text", id = skynet.PTYPE_TEXT,
  unpack = skynet.tostring,
  dispatch = function(_, source, text)
    lines[#lines + 1] = { text = text, source = source }
    for i = 1, #waiting do
      skynet.wakeup(waiting[i])
      waiting[i] = nil
    end
  end,
}

local function find(pattern, source)
  for i, line in ipairs(lines) do
    if line.text:find(pattern) and (not source or line.source == source) then
      return i
    end
  end
end

local command = {}

--- Gives text and source of the oldest line (of `source`, if given) that matches, and forgets it.
function command.take(pattern, source)
  local i = find(pattern, source)
  while not i do
    waiting[#waiting + 1] = {}
    skynet.wait(waiting[#waiting])
    i = find(pattern, source)
  end
  local line = table.remove(lines, i)
  skynet.retpack(line.text, line.source)
end

--- Counts the kept lines that match.
function command.count(pattern)
  local n = 0
  for _, line in ipairs(lines) do
    n = n + (line.text:find(pattern) and 1 or 0)
  end
  skynet.retpack(n)
end

-- Set before the start: nobody waits for a logger to start, so a request may come before its start function runs.
skynet.dispatch("lua", function(_, _, name, ...)
  command[name](...)
end)

skynet.start(function() end)
