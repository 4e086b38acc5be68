-- Addresses made up by the script in place of messages.
-- expect: not a message block of this service with 100 bytes
local skynet = require "skynet"

skynet.start(function()
  local made_up = skynet.unpack(string.pack("<I1I8", 3, 4096))
  assert(type(made_up) == "userdata", type(made_up))
  local core = require "skynet.core"
  for _, f in ipairs { skynet.unpack, skynet.tostring, skynet.trash, core.unpack, core.tostring } do
    assert(not pcall(f, made_up, 100))
  end
  assert(not pcall(skynet.rawsend, skynet.self(), "lua", made_up, 100))
  assert(not pcall(skynet.redirect, skynet.self(), 0, "lua", 0, made_up, 100))
  local block, size = skynet.pack(1, 2, 3)
  assert(not pcall(skynet.tostring, block, size + 1))
  assert(not pcall(skynet.tostring, block, -1))
  skynet.trash(block, size)
  assert(not pcall(skynet.trash, block, size))
  skynet.tostring(made_up, 100)
end)
