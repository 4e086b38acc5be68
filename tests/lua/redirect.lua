-- skynet.redirect sends under another service's name with a chosen session, so that a third service can answer.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local self = skynet.self()
  local peer = skynet.newservice "peer"

  -- A relay passes a request on; the answer goes to the caller directly.
  skynet.dispatch("lua", function(session, source, ...)
    print("relayed", select("#", skynet.redirect(peer, source, "lua", session, skynet.pack(...))))
    skynet.ignoreret()
  end)
  local caller = skynet.newservice "peer"
  print(skynet.call(caller, "lua", "call", self, "echo", "from", "peer"))

  -- The source of a redirected message is whatever was written there, even a service that does not exist.
  skynet.register_protocol {
    name = "note", id = 80, pack = skynet.pack, unpack = skynet.unpack,
    dispatch = function(session, source, ...)
      print("note", source == self and "own" or skynet.address(source), source == self or session, ...)
      skynet.ignoreret()
    end,
  }
  print("result", skynet.redirect(self, 0xabcdef, "note", 0, skynet.packstring("a", 1)))
  print("result", skynet.redirect(self, 0xabcdef, "note", 42, skynet.pack("b", 2)))
  print("dead", select("#", skynet.redirect(0xfffff0, 1, "note", 0, "")))
  skynet.sleep(5)

  -- A session of nil allots a new one of ours.
  local session = skynet.genid()
  print("new session", skynet.redirect(self, self, "note", nil, skynet.packstring "c") == session + 1)
  skynet.sleep(5)

  local ok, message = pcall(skynet.redirect, self, "1", "note", 0, {})
  print(ok, (message:gsub("^.*:%d+: ", "")))
  skynet.abort()
end)
