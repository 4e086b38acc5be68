-- register_protocol refuses names and ids in use and ids outside 0..255; its names work in send, call and dispatch.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, class)
  local ok, message = pcall(skynet.register_protocol, class)
  print(what, ok, ok and "" or (message:gsub("^.*:%d+: ", "")))
end

skynet.start(function()
  print(skynet.PTYPE_TEXT, skynet.PTYPE_RESPONSE, skynet.PTYPE_MULTICAST, skynet.PTYPE_CLIENT, skynet.PTYPE_SYSTEM)
  print(skynet.PTYPE_HARBOR, skynet.PTYPE_SOCKET, skynet.PTYPE_ERROR, skynet.PTYPE_QUEUE, skynet.PTYPE_DEBUG)
  print(skynet.PTYPE_LUA, skynet.PTYPE_SNAX, skynet.PTYPE_TRACE)

  try("lua by name", { name = "lua", id = 100 })
  try("lua by id", { name = "other", id = skynet.PTYPE_LUA })
  for _, name in ipairs { "response", "error", "debug" } do
    try(name, { name = name, id = 101 })
  end
  try("id -1", { name = "other", id = -1 })
  try("id 256", { name = "other", id = 256 })
  try("id string", { name = "other", id = "1" })
  try("id nil", { name = "other" })
  try("no name", { id = 102 })
  try("name number", { name = 102, id = 102 })

  try("id 0", { name = "zero", id = 0 })
  try("id 255", { name = "last", id = 255, pack = skynet.pack, unpack = skynet.unpack,
    dispatch = function(session, _, ...)
      print("last got", session > 0, ...)
      skynet.retpack("answer", ...)
    end })
  try("id 255 again", { name = "again", id = 255 })
  try("last again", { name = "last", id = 103 })
  print(skynet.call(skynet.self(), "last", 1, { 2 } and 2, nil))

  -- Own pack and unpack see the arguments and the raw message.
  skynet.register_protocol {
    name = "csv", id = 104,
    pack = function(...)
      return table.concat({ ... }, ",")
    end,
    unpack = function(message, size)
      return size, skynet.tostring(message, size)
    end,
    dispatch = function(session, _, size, text)
      print("csv got", session > 0, size, text)
      if session > 0 then
        skynet.ret(text .. "!")
      end
    end,
  }
  skynet.send(skynet.self(), "csv", "a", "b")
  print(skynet.call(skynet.self(), "csv", 1, 2, 3))

  print("no such type", pcall(skynet.send, skynet.self(), "nosuch", 1) == false)
  skynet.abort()
end)
