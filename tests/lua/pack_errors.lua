-- What cannot be packed raises `Unsupport type`; what cannot be unpacked raises `Invalid serialize stream`.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, (message:gsub("%(line:%d+%)", "(line)"):gsub("^%S+:%d+: ", "FILE: ")))
end

skynet.start(function()
  try("function", skynet.pack, print)
  try("thread", skynet.pack, coroutine.create(print))
  try("userdata", skynet.pack, io.stdout)
  try("inside a table", skynet.pack, { x = { print } })
  try("as a key", skynet.pack, { [print] = 1 })
  try("packstring", skynet.packstring, 1, 2, print)
  try("in a send", skynet.send, skynet.self(), "lua", print)

  try("cut u8", skynet.unpack, "\x0A")
  try("cut u16", skynet.unpack, "\x12\x01")
  try("cut i32", skynet.unpack, "\x22\x01\x02\x03")
  try("cut i64", skynet.unpack, "\x32\x01\x02\x03")
  try("cut float", skynet.unpack, "\x42\x01\x02\x03")
  try("cut pointer", skynet.unpack, "\x03\x01")
  try("cut string", skynet.unpack, "\x2Cabc")
  try("cut long string", skynet.unpack, "\x15\xFF\x00abc")
  try("cut length", skynet.unpack, "\x15\xFF")
  try("open table", skynet.unpack, "\x0E\x09")
  try("key without value", skynet.unpack, "\x06\x0A\x01")
  try("unknown type", skynet.unpack, "\x07")
  try("number cookie 3", skynet.unpack, "\x1A\x01\x02\x03")
  try("long string cookie 1", skynet.unpack, "\x0D\x01a")
  try("table length not a number", skynet.unpack, "\xFE\x0C")
  try("table length a float", skynet.unpack, "\xFE\x42" .. ("\0"):rep(8))
  try("good then bad", skynet.unpack, "\x0A\x01\x07")

  print("nil", select("#", skynet.unpack(nil)), select("#", skynet.unpack()))
  print("empty", select("#", skynet.unpack ""))
  print("size 0", select("#", skynet.unpack(skynet.pack(1), 0)))
  print("trailing", skynet.unpack("\x0A\x01\x09\x0Ca"))
  skynet.abort()
end)
