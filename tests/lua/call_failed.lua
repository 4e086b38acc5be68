-- Every way of not getting an answer is the same bare error `call failed`; no detail crosses services.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, (tostring(message):gsub("^.*:%d+: ", "")))
end

skynet.start(function()
  skynet.register_protocol { name = "nobody", id = 77, pack = skynet.pack, unpack = skynet.unpack }

  local peer = skynet.newservice "peer"
  try("raises a string", skynet.call, peer, "lua", "raise", "private detail")
  try("raises nil", skynet.call, peer, "lua", "raise")
  try("raises a table", skynet.call, peer, "lua", "raise", { code = 1 })
  try("unknown protocol there", skynet.call, peer, "nobody", "x")
  try("rawcall", skynet.rawcall, peer, "lua", skynet.pack("raise", "private detail"))
  try("still alive", skynet.call, peer, "lua", "echo", "yes")
  try("exits", skynet.call, peer, "lua", "exit")
  try("is gone", skynet.send, peer, "lua", "echo")

  -- No handler for a type both sides know.
  local silent = skynet.newservice "no_dispatch"
  try("no handler", skynet.call, silent, "lua", "x")
  skynet.abort()
end)
