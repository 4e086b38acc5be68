-- since: 1.6
-- A client proves itself to a login server, and with the secret to a server of messages, which answers each request once.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local function port_of(address)
  for _, one in ipairs(socket.netstat()) do
    if one.address == address and one.type == "LISTEN" then
      return tonumber(one.sock:match ":(%d+)$")
    end
  end
end

-- The login of one client; `spoil` changes what it sends.
local function login(port, token, spoil)
  spoil = spoil or {}
  local fd = assert(socket.open("127.0.0.1", port))
  local challenge = crypt.base64decode(socket.readline(fd))
  local private = crypt.randomkey()
  socket.write(fd, (spoil.key or crypt.base64encode(crypt.dhexchange(private))) .. "\n")
  local public = socket.readline(fd)
  if spoil.key then
    socket.close(fd)
    return public
  end
  local secret = crypt.dhsecret(crypt.base64decode(public), private)
  local hmac = spoil.hmac or crypt.hmac64(challenge, secret)
  socket.write(fd, crypt.base64encode(hmac) .. "\n")
  local etoken = crypt.desencode(secret, token)
  socket.write(fd, crypt.base64encode(etoken) .. "\n")
  local line = socket.readline(fd)
  socket.close(fd)
  return line, secret
end

local function packet(text)
  return (">s2"):pack(text)
end

-- A connection to the server of messages; gives its socket and the answer to the handshake.
local function enter(port, username, index, secret)
  local fd = assert(socket.open("127.0.0.1", port))
  local text = ("%s:%s"):format(username, index)
  local hmac = crypt.base64encode(crypt.hmac_hash(secret, text))
  socket.write(fd, packet(("%s:%s"):format(text, hmac)))
  local answer = socket.read(fd, socket.header(socket.read(fd, 2)))
  return fd, answer
end

local function request(fd, text, session)
  socket.write(fd, packet(text .. (">I4"):pack(session)))
end

local function answer(fd)
  local head = socket.read(fd, 2)
  if not head then
    return "closed"
  end
  local text = socket.read(fd, socket.header(head))
  local ok, session = (">BI4"):unpack(text, #text - 4)
  return text:sub(1, -6), ok, session
end

skynet.register_protocol {
  name = "client",
  id = skynet.PTYPE_CLIENT,
  unpack = skynet.tostring,
  dispatch = function(_, _, message)
    skynet.ret(message:upper())
  end,
}

skynet.start(function()
  skynet.register ".agent"
  local game = skynet.newservice "game_desk"
  local desk = skynet.newservice "login_desk"
  skynet.dispatch("lua", function(_, _, command, server, uid, secret)
    if uid == "slow" then
      skynet.sleep(10)
    elseif uid == "nobody" then
      error("no such user", 0)
    end
    skynet.call(game, "lua", command, uid, secret)
    skynet.retpack(7)
  end)
  print("command", skynet.call(".login_desk", "lua", "tell", skynet.self()) == "tell")
  local port = port_of(desk)

  local line, secret = login(port, "alice@desk:password")
  print("login", line, line:match "^200 (.*)$" and crypt.base64decode(line:match "^200 (.*)$"), #secret)
  print("wrong password", (login(port, "alice@desk:wrong")))
  print("wrong proof", (login(port, "alice@desk:password", { hmac = "12345678" })))
  print("short key", (login(port, "", { key = crypt.base64encode "short" })))
  print("forbidden", (login(port, "nobody@desk:password")))
  local done = 0
  for _ = 1, 2 do
    skynet.fork(function()
      local first = login(port, "slow@desk:password")
      print("at a time", first:match "^%d+")
      done = done + 1
    end)
  end
  repeat
    skynet.sleep(1)
  until done == 2
  -- Who hangs up in the middle gets no line, and disturbs nobody.
  socket.close((assert(socket.open("127.0.0.1", port))))

  skynet.call(game, "lua", "open", { address = "127.0.0.1", port = 0, servername = "desk" })
  local gate = port_of(game)
  local name = ("%s@%s#%s"):format(crypt.base64encode "alice", crypt.base64encode "desk", crypt.base64encode "7")
  local fd, said = enter(gate, name, 1, secret)
  print(said)
  request(fd, "hello", 1)
  print(answer(fd))
  request(fd, "fail", 2)
  print(answer(fd))
  print("kick", skynet.call(game, "lua", "kick", "alice", "7"))

  -- Another connection takes its place only with a larger index, and gets old answers again.
  local _, refused = enter(gate, name, 1, secret)
  print(refused)
  _, refused = enter(gate, name, 2, "12345678")
  print(refused)
  _, refused = enter(gate, "nobody", 1, secret)
  print(refused)
  socket.close(fd)
  skynet.sleep(2)
  fd, said = enter(gate, name, 2, secret)
  print(said)
  request(fd, "hello", 1)
  print(answer(fd))
  request(fd, "new", 3)
  print(answer(fd))
  -- Within a connection a session may be used again.
  request(fd, "again", 3)
  print(answer(fd))
  socket.write(fd, packet("slow" .. (">I4"):pack(4)) .. packet("quick" .. (">I4"):pack(5)))
  print(answer(fd))
  print(answer(fd))
  for session = 10, 30 do
    request(fd, "many", session)
    answer(fd)
  end
  request(fd, "last", 31)
  print(answer(fd))
  request(fd, "pass on", 32)
  print(answer(fd))

  print(skynet.call(game, "lua", "logout", "alice", "7"))
  print(answer(fd))
  _, refused = enter(gate, name, 3, secret)
  print(refused)
  skynet.abort()
end)
