-- skynet.codecache keeps compiled files for the whole process: clear shows edits, mode turns it off for one service.
local skynet = require "skynet"
require "skynet.manager"
local cache = require "skynet.codecache"

local file = ("tests/lua/codecache.%d.tmp"):format(skynet.hpc())

local function write(text)
  local f = assert(io.open(file, "w"))
  f:write(text)
  f:close()
end

skynet.start(function()
  print("skynet.cache", skynet.cache == cache)
  print("mode", cache.mode())
  write "return 'first'"
  print(cache.loadfile(file)())
  write "return 'second, longer'"
  cache.clear()
  print(cache.loadfile(file)())

  print(select("#", cache.mode "OFF"), cache.mode())
  write "return 3"
  print(loadfile(file)())
  cache.mode "EXIST"
  print(cache.mode())
  cache.mode "ON"
  print(cache.mode())
  print("bad mode", pcall(cache.mode, "SOMETIMES") == false)

  -- Errors and globals are as with the plain loadfile.
  cache.clear()
  write "return +"
  local f, message = cache.loadfile(file)
  print(f, (message:gsub("^.*:1: ", "")))
  write "value = ...; return value, _ENV == _G"
  print(cache.loadfile(file)("argument"))
  print(value)
  print("missing", (cache.loadfile "tests/lua/no_such_file"))
  os.remove(file)
  skynet.abort()
end)
