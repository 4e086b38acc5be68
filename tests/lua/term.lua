-- skynet.term treats an address as dead: pending calls to it fail and response objects for it are discarded.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local one, two = skynet.newservice "peer", skynet.newservice "peer"
  local function call(what, address)
    print(what, pcall(skynet.call, address, "lua", "hold"))
  end
  skynet.fork(function()
    local ok, message = pcall(skynet.call, one, "lua", "hold")
    print("to one", ok, (message:gsub("^.*:%d+: ", "")))
  end)
  skynet.fork(call, "to two", two)

  local answer
  skynet.dispatch("lua", function()
    answer = skynet.response()
  end)
  skynet.send(one, "lua", "call", skynet.self())
  skynet.sleep(5)
  print("before", answer "TEST")
  skynet.term(one)
  print("term does not resume at once", answer "TEST")
  skynet.sleep(5)
  print("answer", answer(true))

  -- It is only our view: the service lives and can be called again.
  print(skynet.call(one, "lua", "echo", "alive"))
  skynet.call(two, "lua", "release", true, "answered")
  skynet.sleep(5)

  -- A global name that nobody has yet is an address too.
  local function missing(name)
    print(name, (pcall(skynet.call, name, "lua")))
  end
  skynet.fork(missing, "UNKNOWN")
  skynet.fork(missing, "OTHER")
  skynet.sleep(5)
  skynet.send(skynet.self(), "debug", "TERM", "UNKNOWN")
  skynet.sleep(5)
  print "only the one"
  skynet.term "OTHER"
  skynet.term "NOBODY"
  skynet.sleep(5)
  skynet.abort()
end)
