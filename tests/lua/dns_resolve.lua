-- since: 1.6
-- Names resolved over UDP: hosts file, answers of all kinds, what is remembered and for how long.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local dns = require "skynet.dns"

local A, CNAME, AAAA = 1, 5, 28
local queries = 0

local function name_of(text)
  return (text:gsub("([^.]+)%.?", function(label)
    return string.pack("s1", label)
  end)) .. "\0"
end

--- A record about the name of the question, which stands at byte 12.
local function record(rtype, ttl, data)
  return string.pack(">I2I2I2I4s2", 0xC00C, rtype, 1, ttl, data)
end

local ONE, TWO = "\192\0\2\11", "\192\0\2\12"
local records = {
  ["one.test"] = { record(A, 60, ONE) },
  ["two.test"] = { record(A, 60, ONE), record(A, 60, TWO) },
  ["alias.test"] = {
    record(CNAME, 60, name_of "target.test"),
    name_of "target.test" .. string.pack(">I2I2I4s2", A, 1, 60, TWO),
  },
  ["brief.test"] = { record(A, 0, ONE) },
  ["noisy.test"] = { record(A, 60, TWO) },
  ["six.test"] = { record(AAAA, 60, "\x20\x01\x0d\xb8" .. ("\0"):rep(10) .. "\0\x17") },
  ["none.test"] = {},
}

local function answer(server, query, from)
  queries = queries + 1
  local id, flags, count = string.unpack(">I2I2I2", query)
  assert(flags == 0x100 and count == 1)
  local labels, at, label = {}, 13, nil
  repeat
    label, at = string.unpack("s1", query, at)
    labels[#labels + 1] = label
  until label == ""
  local name = table.concat(labels, ".", 1, #labels - 1)
  local question = query:sub(13, at + 3)
  local list = records[name]
  local head = string.pack(">I2I2I2I2I2I2", id, 0x8180, 1, #list, 0, 0)
  if name == "noisy.test" then
    socket.sendto(server, from, "short")
    socket.sendto(server, from, string.pack(">I2", id ~ 1) .. head:sub(3) .. question .. record(A, 60, ONE))
  end
  socket.sendto(server, from, head .. question .. table.concat(list))
end

local function show(name, ipv6)
  local ok, address, list = pcall(dns.resolve, name, ipv6)
  if not ok then
    print(name, "raises", (tostring(address):gsub("^.*:%d+: ", "")))
  else
    print(name, address, type(list) == "table" and table.concat(list, " ") or list)
  end
end

skynet.start(function()
  collectgarbage "stop" -- answers may be forgotten at any time
  dns.DEFAULT_HOSTS = "tests/lua/modules/hosts"
  dns.DEFAULT_RESOLV_CONF = false
  print("no server", (pcall(dns.resolve, "one.test")))

  -- A port that TCP has free is free for UDP as well.
  local _, _, port = socket.listen("127.0.0.1", 0)
  local server
  server = socket.udp(function(query, from)
    answer(server, query, from)
  end, "127.0.0.1", port)
  dns.server("127.0.0.1", port)

  show "192.0.2.9"
  show "::1"
  show("::1", true)
  show "printer"
  show "PRINTER.example"
  show("printer", true)
  show "no spaces in names"
  show(("x"):rep(64) .. ".test")
  print("queries", queries)
  show "one.test"
  show "ONE.Test"
  show "two.test"
  show "alias.test"
  show "noisy.test"
  show("six.test", true)
  show "none.test"
  print("queries", queries)

  -- What is remembered is not asked for again, unless it has expired or was flushed.
  show "one.test"
  show "brief.test"
  show "brief.test"
  print("queries", queries)
  dns.flush()
  show "two.test"
  print("queries", queries)
  skynet.abort()
end)
