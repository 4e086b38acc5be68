-- skynet.cluster.core packs and unpacks the frames between nodes, for scripts that speak them by themselves.
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.cluster.core"

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function brief(frame)
  return #frame > 40 and ("%s..(%d)"):format(hex(frame:sub(1, 16)), #frame) or hex(frame)
end

local function shown(...)
  local words = table.pack(...)
  for i = 1, words.n do
    local word = words[i]
    if type(word) == "userdata" then
      local size = words[i + 1]
      words[i] = "<" .. brief(skynet.tostring(word, size)) .. ">"
      skynet.trash(word, size)
    elseif type(word) == "string" then
      words[i] = #word > 40 and brief(word) or word
    else
      words[i] = tostring(word)
    end
  end
  return table.concat(words, " ")
end

local function fails(f, ...)
  local ok, err = pcall(f, ...)
  print(ok, (tostring(err):gsub("^[^ ]*:%d+: ", "")))
end

local function requests(pack)
  for _, address in ipairs { 0x0100000a, "@name", ".dot" } do
    for _, size in ipairs { 3, 0x7ff0, 0x8100, 0x10010 } do
      local frame, session, parts = pack(address, 7, skynet.pack(("x"):rep(size)))
      print(brief(frame), session, parts and #parts)
      print(" ", shown(core.unpackrequest(frame:sub(3))))
      for _, part in ipairs(parts or {}) do
        print("  part", brief(part), shown(core.unpackrequest(part:sub(3))))
      end
    end
  end
end

skynet.start(function()
  print "requests"
  requests(core.packrequest)
  print "pushes"
  requests(core.packpush)
  print "session"
  print(select(2, core.packrequest(1, 0x7fffffff, skynet.pack(1))))
  fails(core.packrequest, 1, 0, skynet.pack(1))
  fails(core.packrequest, 1, -1, skynet.pack(1))
  print "bad"
  fails(core.unpackrequest, "\x00abc")
  fails(core.unpackrequest, "\x99abcdefghijk")
  fails(core.unpackrequest, "\x80\x05ab")
  fails(core.unpackrequest, "\x02abc")
  print "trace"
  print(hex(core.packtrace "tag"), core.unpackrequest(core.packtrace("tag"):sub(3)))
  fails(core.packtrace, ("t"):rep(0x8001))
  print "responses"
  for _, ok in ipairs { true, false } do
    for _, size in ipairs { 0, 5, 0x8000, 0x8001, 0x10001 } do
      local frames = core.packresponse(3, ok, ("y"):rep(size))
      for _, frame in ipairs(type(frames) == "table" and frames or { frames }) do
        print(ok, brief(frame), shown(core.unpackresponse(frame:sub(3))))
      end
    end
  end
  local message, size = skynet.pack("z")
  print(brief(core.packresponse(4, true, message, size)))
  skynet.trash(message, size)
  print("malformed", core.unpackresponse "abc", select("#", core.unpackresponse "abc"))
  print("odd code", select("#", core.unpackresponse "\1\0\0\0\9abc"))
  print "join"
  local list = {}
  core.append(list, nil, 8)
  for _, part in ipairs { "abcd", "efgh" } do
    local frame = core.packrequest(1, 1, require("skynet.socketdriver").str2p(part))
    local _, _, pointer, length = core.unpackrequest(frame:sub(3))
    core.append(list, pointer, length)
  end
  print(shown(core.concat(list)))
  local short = {}
  core.append(short, nil, 9)
  core.append(short, require("skynet.socketdriver").str2p "abcd")
  print("short", select("#", core.concat(short)))
  print("names", core.isname "@x", core.isname ".x", core.isname "x")
  print("node", type(core.nodename()))
  skynet.abort()
end)
