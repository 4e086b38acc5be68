-- skynet.response gives a closure that answers once, later and from anywhere, and can test if it is still awaited.
local skynet = require "skynet"
require "skynet.manager"

local function text(message)
  return (tostring(message):gsub("^.*:%d+: ", ""))
end

local command = {}

function command.later()
  local answer = skynet.response()
  print("TEST before", answer "TEST")
  skynet.timeout(1, function()
    print("answer", answer(true, "a", nil, "b"))
    print("TEST after", answer "TEST")
    local ok, message = pcall(answer, true, "again")
    print("again", ok, text(message))
    print("again TEST", answer "TEST")
  end)
end

function command.refuse()
  print("refuse", skynet.response()(false))
end

function command.refuse_nil()
  print("refuse with nil", skynet.response()())
end

function command.packed()
  print("own pack", skynet.response(skynet.packstring)(true, "packed"))
end

function command.bad_pack()
  local answer = skynet.response()
  local ok, message = pcall(answer, true, print)
  print("pack fails", ok, text(message))
  print("still awaited", answer "TEST")
  answer(true, "repaired")
end

function command.sent()
  local answer = skynet.response()
  print("for a send", select("#", answer(true)), select("#", answer(true)), select("#", answer "TEST"))
end

function command.twice()
  skynet.response()(true)
  local ok, message = pcall(skynet.response)
  print("second response", ok, text(message))
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name)
    command[name]()
  end)

  local self = skynet.self()
  print("got", skynet.call(self, "lua", "later"))
  skynet.sleep(5)
  print("got", pcall(skynet.call, self, "lua", "refuse") == false)
  print("got", pcall(skynet.call, self, "lua", "refuse_nil") == false)
  print("got", skynet.call(self, "lua", "packed"))
  print("got", skynet.call(self, "lua", "bad_pack"))
  skynet.send(self, "lua", "sent")
  print("got", select("#", skynet.call(self, "lua", "twice")))
  skynet.abort()
end)
