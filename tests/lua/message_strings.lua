-- skynet.tostring copies a message to a string; skynet.trash frees a pointer and ignores a string.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local result = table.pack(pcall(f, ...))
  if result[1] then
    print(what, "ok", result.n - 1)
  else
    print(what, (result[2]:gsub("^.*:%d+: ", ""):gsub("'.-'", "FUNCTION")))
  end
end

skynet.start(function()
  local message, size = skynet.pack("a\0b", true)
  print(skynet.tostring(message, size) == skynet.packstring("a\0b", true))
  print(#skynet.tostring(message, 1), #skynet.tostring(message, 0))
  print("nil", select("#", skynet.tostring(nil)), select("#", skynet.tostring(nil, 0)), select("#", skynet.tostring()))
  try("pointer without size", skynet.tostring, message)

  try("trash pointer", skynet.trash, message, size)
  try("trash string", skynet.trash, "text")
  try("trash string and size", skynet.trash, "text", 4)
  try("trash nil", skynet.trash, nil)
  try("trash number", skynet.trash, 1)
  try("trash table", skynet.trash, {})
  message = skynet.pack(1)
  try("trash pointer without size", skynet.trash, message)
  skynet.trash(message, 2)
  skynet.abort()
end)
