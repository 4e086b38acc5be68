-- Helper: answers a request in every way a service can, chosen by the first argument.
local skynet = require "skynet"

local arguments = { ... }
local command, held, seen = {}, {}, {}

function command.echo(...)
  skynet.retpack(...)
end

function command.count(...)
  skynet.retpack(select("#", ...))
end

function command.arguments()
  skynet.retpack(table.unpack(arguments))
end

function command.context()
  skynet.retpack(skynet.context())
end

function command.raise(what)
  error(what)
end

function command.exit()
  skynet.exit()
end

--- Answers nothing and has no duty to.
function command.ignore()
  skynet.ignoreret()
end

--- Keeps the answer for a later `release`.
function command.hold()
  held[#held + 1] = skynet.response()
end

--- Gives the oldest kept answer: `release(true, ...)`, `release(false)` or `release("TEST")`.
function command.release(...)
  local answer = (...) == "TEST" and held[1] or table.remove(held, 1)
  skynet.retpack(answer(...))
end

function command.sleep(centiseconds, ...)
  skynet.sleep(centiseconds)
  skynet.retpack(...)
end

--- Is busy, handling nothing else, from setting `<name>_spins` to seeing `<name>_stop` in the environment.
function command.spin(name)
  skynet.setenv(name .. "_spins", 1)
  repeat until skynet.getenv(name .. "_stop")
end

--- Remembers a value; `seen` gives all remembered so far.
function command.note(value)
  seen[#seen + 1] = value
end

function command.seen()
  skynet.retpack(table.concat(seen, " "))
  seen = {}
end

--- Calls `address` and tells whether that succeeded.
function command.call(address, ...)
  skynet.retpack(pcall(skynet.call, address, "lua", ...))
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name, ...)
    command[name](...)
  end)
end)
