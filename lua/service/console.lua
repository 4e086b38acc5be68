--- Service `console`: starts a service for each line of standard input, or a snax service when the
--- line begins with `snax`.
---
--- Invariant: lines are carried out one after the other, and a failing one only leaves a log line.
--- At the end of input nothing more arrives and the service stays idle.
--- Not here: commands and addresses (service/debug_console.lua).

local skynet = require "skynet"
local internal = require "skynet.internal"
local in_turn = require "skynet.queue"()

local function run(line)
  local words = {}
  for word in line:gmatch "%S+" do
    words[#words + 1] = word
  end
  if words[1] == "snax" then
    require("skynet.snax").newservice(table.unpack(words, 2))
  elseif words[1] then
    skynet.newservice(table.unpack(words))
  end
end

skynet.register_protocol {
  name = "text",
  id = skynet.PTYPE_TEXT,
  unpack = skynet.tostring,
  dispatch = function(_, _, line)
    line = line or "" -- an empty message unpacks to nothing
    local ok, why = pcall(in_turn, run, line)
    if not ok then
      -- The service that failed has logged its traceback; the one of this call tells nothing.
      skynet.error(("console: %q failed: %s"):format(line, tostring(why):match "[^\n]*"))
    end
  end,
}

skynet.start(function()
  internal.read_stdin()
end)
