-- skynet.ret tells whether the answer was delivered, and a request can be answered only once.
local skynet = require "skynet"
require "skynet.manager"

local function text(message)
  return (tostring(message):gsub("^.*:%d+: ", ""))
end

local command = {}

function command.string()
  print("ret string", skynet.ret(skynet.packstring "text"))
end

function command.pointer()
  print("ret pointer", skynet.ret(skynet.pack "pointer"))
end

function command.nothing()
  print("ret nothing", skynet.ret())
end

function command.retpack()
  print("retpack", skynet.retpack(1, nil, 3, nil))
end

function command.twice()
  skynet.ret()
  local ok, message = pcall(skynet.ret)
  print("second ret", ok, text(message))
  ok, message = pcall(skynet.retpack, 1)
  print("third ret", ok, text(message))
end

function command.after_ignore()
  skynet.redirect(skynet.self(), skynet.self(), "error", (skynet.context()), "")
  skynet.ignoreret()
  local ok, message = pcall(skynet.ret)
  print("ret after ignoreret", ok, text(message))
end

function command.after_response()
  local answer = skynet.response()
  local ok, message = pcall(skynet.ret)
  print("ret after response", ok, text(message))
  answer(true)
end

function command.sent()
  print("ret for a send", skynet.ret(skynet.pack "freed"))
  local ok, message = pcall(skynet.retpack, "x")
  print("retpack after it", ok, text(message))
end

function command.dead()
  local _, source = skynet.context()
  skynet.kill(source)
  print("ret to the dead", skynet.retpack "x")
end

function command.fork()
  skynet.fork(function()
    local ok, message = pcall(skynet.ret)
    print("ret in a fork", ok, text(message))
  end)
  skynet.ret()
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name)
    command[name]()
  end)

  local self = skynet.self()
  print("got", skynet.call(self, "lua", "string"))
  print("got", skynet.call(self, "lua", "pointer"))
  print("got", select("#", skynet.call(self, "lua", "nothing")))
  print("got", select("#", skynet.call(self, "lua", "retpack")), skynet.call(self, "lua", "retpack"))
  skynet.call(self, "lua", "twice")
  print("got", (pcall(skynet.call, self, "lua", "after_ignore")))
  skynet.call(self, "lua", "after_response")
  skynet.send(self, "lua", "sent")
  skynet.call(self, "lua", "fork")
  skynet.send(skynet.newservice "peer", "lua", "call", self, "dead")
  skynet.sleep(5)
  local ok, message = pcall(skynet.ret)
  print("ret outside a request", ok, text(message))
  skynet.abort()
end)
