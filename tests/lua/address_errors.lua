-- A destination that is no address raises, with a text that depends on what it is.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, ok and "" or (message:gsub("^%S+:%d+: ", "FILE: ")))
end

skynet.start(function()
  try("send 0", skynet.send, 0, "lua")
  try("send 0.0", skynet.send, 0.0, "lua")
  try("send nil", skynet.send, nil, "lua")
  try("send true", skynet.send, true, "lua")
  try("send table", skynet.send, {}, "lua")
  try("send function", skynet.send, print, "lua")
  try("call 0", skynet.call, 0, "lua")
  try("call nil", skynet.call, nil, "lua")
  try("call table", skynet.call, {}, "lua")
  try("redirect nil", skynet.redirect, nil, 0, "lua", 0, "")

  try("call dead number", skynet.call, 0xfffff0, "lua")
  try("call dead :hex", skynet.call, ":FFFFF0", "lua")
  try("call dead .name", skynet.call, ".nobody", "lua")
  try("rawcall dead number", skynet.rawcall, 0xfffff0, "lua", "")
  try("rawcall dead .name", skynet.rawcall, ".nobody", "lua", "")

  try("message nil", skynet.rawsend, skynet.self(), "lua", nil)
  try("message number", skynet.rawsend, skynet.self(), "lua", 1)
  try("message table", skynet.rawsend, skynet.self(), "lua", {})
  skynet.abort()
end)
