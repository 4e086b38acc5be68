-- Helper: a snax service with every kind of function.
local skynet = require "skynet"
local snax = require "skynet.snax"

local count = 0
local word = "plain"

function init(...)
  print("init", ...)
end

function exit(...)
  print("exit", ...)
end

function response.add(n)
  count = count + n
  return count, word
end

function response.nothing()
end

function response.self()
  local self = snax.self()
  return tostring(self):gsub("%x+%]$", "ADDR]"), self.handle == skynet.self()
end

function response.neighbour()
  return require "neighbour", (SERVICE_PATH:match "[^/]+/$"), SERVICE_NAME
end

function response.fail()
  error("on purpose", 0)
end

function accept.note(text)
  print("noted", text, count, word)
end

function accept.leave(...)
  snax.exit(...)
end
