--- skynet.dns: addresses of host names, asked of a name server over UDP.
---
--- Order: numeric addresses are their own answer; then the hosts file; then what is remembered of
--- earlier answers and has not expired; then the name server.
--- Invariant: all who ask for one name at a time share one query. An answer counts only if it names
--- the query's number, its name and its type.
--- Not here: search domains, TCP, DNSSEC. What `socket.open` is given it resolves by itself.

local skynet = require "skynet"
local socket = require "skynet.socket"

local pack, unpack = string.pack, string.unpack

--- In hundredths of a second: until a query has failed, until it is sent again (UDP may lose it),
--- and how long the socket to the server may idle.
local TIMEOUT, RESEND, IDLE = 30 * 100, 5 * 100, 60 * 100
--- In seconds: the longest that an answer is remembered, whatever its time to live says.
local LONGEST_TTL = 7 * 24 * 3600
--- Names remembered of each type. When they are more, all are forgotten: simple, and rare.
local REMEMBERED = 4096
--- By RFC 1035, the second without the dot and the length of the root.
local LONGEST_LABEL, LONGEST_NAME = 63, 253
--- How many pointers a compressed name may follow; each must point backwards, so this is generous.
local JUMPS = 32

local TYPE_A, TYPE_AAAA, CLASS_IN = 1, 28, 1
local RECURSION_DESIRED, IS_RESPONSE = 0x0100, 0x8000

---@class skynet.dns
---@field DEFAULT_HOSTS string|false file of names that need no server
---@field DEFAULT_RESOLV_CONF string|false file that names the server
local dns = {
  DEFAULT_HOSTS = "/etc/hosts",
  DEFAULT_RESOLV_CONF = "/etc/resolv.conf",
}

--- What is remembered: by type, by name, { addresses =, expires = }.
local known, known_count
--- The hosts file: by type, by name, a list of addresses; nil until it is read.
local hosts

--- Queries under way: by number, and by type and name.
---@type table<integer, table>
local by_number = {}
---@type table<string, table>
local by_question = {}

local server_address, server_port
--- The socket to the server, and when it was last used.
local fd, last_used

--- Forgets all answers, and what the hosts file said.
function dns.flush()
  known = { [TYPE_A] = {}, [TYPE_AAAA] = {} }
  known_count = { [TYPE_A] = 0, [TYPE_AAAA] = 0 }
  hosts = nil
end

dns.flush()

--- The type of record that has such addresses; nil for what is no numeric address.
local function type_of_address(text)
  if text:find "^[%d.]+$" then
    return TYPE_A
  elseif text:find(":", 1, true) then
    return TYPE_AAAA
  end
end

local function lines_of(name)
  local file = name and io.open(name)
  if not file then
    return function() end
  end
  local next_line = file:lines()
  return function()
    local line = next_line()
    if not line then
      file:close()
    end
    return line
  end
end

local function read_hosts()
  local tables = { [TYPE_A] = {}, [TYPE_AAAA] = {} }
  for line in lines_of(dns.DEFAULT_HOSTS) do
    local address, names = line:match "^%s*([%x%.:%[%]]+)%s+([^#;]+)"
    local family = address and tables[type_of_address(address)]
    if family then
      for name in names:gmatch "%S+" do
        name = name:lower()
        family[name] = family[name] or {}
        table.insert(family[name], address)
      end
    end
  end
  return tables
end

local function configured_server()
  local found
  for line in lines_of(dns.DEFAULT_RESOLV_CONF) do
    found = found or line:match "^%s*nameserver%s+([^#;%s]+)"
  end
  return found
end

--- Names the server to ask.
---@param address? string default: that of the system
---@param port? integer default 53
function dns.server(address, port)
  server_address, server_port = address, port or 53
  local old = fd
  fd = nil
  if old then
    socket.close(old)
  end
end

local function name_is_legal(name)
  if #name > LONGEST_NAME or not name:find "^[_%l%d%-.]+$" or not name:find "[^.]" then
    return false
  end
  for label in name:gmatch "[^.]+" do
    if #label > LONGEST_LABEL then
      return false
    end
  end
  return true
end

local function write_query(number, name, qtype)
  local parts = { pack(">I2I2I2I2I2I2", number, RECURSION_DESIRED, 1, 0, 0, 0) }
  for label in name:gmatch "[^.]+" do
    table.insert(parts, pack("s1", label))
  end
  table.insert(parts, pack(">xI2I2", qtype, CLASS_IN))
  return table.concat(parts)
end

--- Reads a name at `at`; gives it in lower case, and where the next field begins.
local function read_name(message, at)
  local labels, after, jumps = {}, nil, 0
  while true do
    local length = unpack("B", message, at)
    if length == 0 then
      return table.concat(labels, "."):lower(), after or at + 1
    elseif length & 0xC0 == 0xC0 then
      local target = (unpack(">I2", message, at) & 0x3FFF) + 1
      jumps = jumps + 1
      assert(target < at and jumps <= JUMPS, "a name in circles")
      after = after or at + 2
      at = target
    else
      assert(length <= LONGEST_LABEL, "a label too long")
      labels[#labels + 1], at = unpack("s1", message, at)
    end
  end
end

local function address_of(qtype, data)
  if qtype == TYPE_A then
    return ("%d.%d.%d.%d"):format(unpack("BBBB", data))
  end
  return ("%x:%x:%x:%x:%x:%x:%x:%x"):format(unpack(">I2I2I2I2I2I2I2I2", data))
end

--- Reads an answer; raises when it is malformed. Gives number, name and type of the question, the
--- addresses of that type, and for how many seconds they hold.
local function read_answer(message)
  local number, flags, questions, answers = unpack(">I2I2I2I2", message)
  assert(flags & IS_RESPONSE ~= 0 and questions == 1, "no answer to one question")
  local name, at = read_name(message, 13)
  local qtype, class
  qtype, class, at = unpack(">I2I2", message, at)
  assert(class == CLASS_IN, "another class than asked for")
  local addresses, ttl = {}, LONGEST_TTL
  for _ = 1, answers do
    local rtype, lifetime, data
    at = select(2, read_name(message, at))
    rtype, class, lifetime, data, at = unpack(">I2I2I4s2", message, at)
    if rtype == qtype and class == CLASS_IN then
      table.insert(addresses, address_of(qtype, data))
      ttl = math.min(ttl, lifetime)
    end
  end
  return number, name, qtype, addresses, ttl
end

local function remember(qtype, name, addresses, ttl)
  if not known[qtype][name] then
    if known_count[qtype] >= REMEMBERED then
      known[qtype], known_count[qtype] = {}, 0
    end
    known_count[qtype] = known_count[qtype] + 1
  end
  known[qtype][name] = { addresses = addresses, expires = skynet.now() + ttl * 100 }
end

--- Ends a query: all who wait for it go on.
local function settle(query)
  if by_number[query.number] == query then
    by_number[query.number] = nil
    by_question[query.question] = nil
    skynet.wakeup(query) -- the one that sends it again
    for _, ticket in ipairs(query.waiting) do
      skynet.wakeup(ticket)
    end
  end
end

local function on_message(message)
  local ok, number, name, qtype, addresses, ttl = pcall(read_answer, message)
  if not ok then
    skynet.error("dns: malformed answer:", number)
    return
  end
  local query = by_number[number]
  if not query then
    return -- too late
  elseif query.name ~= name or query.qtype ~= qtype then
    skynet.error(("dns: answer about '%s' to the query for '%s'"):format(name, query.name))
  else
    if addresses[1] then
      query.addresses = addresses
      remember(qtype, name, addresses, ttl)
    end
    settle(query)
  end
end

--- Looks every now and then whether the socket `id` idles, as long as it is the one in use.
local function watch_idle(id)
  skynet.timeout(2 * IDLE, function()
    if fd ~= id then
      return
    elseif skynet.now() < last_used + IDLE then
      watch_idle(id)
    else
      fd = nil
      socket.close(id)
      skynet.error(("Udp server close %s:%s (%d)"):format(server_address, server_port, id))
    end
  end)
end

local function open_server()
  if not server_address then
    server_address, server_port = configured_server(), 53
    assert(server_address, "dns: no name server known, call dns.server first")
  end
  local id
  if type_of_address(server_address) == TYPE_AAAA then
    id = socket.udp(on_message, "::", 0)
  else
    id = socket.udp(on_message)
  end
  local ok, why = pcall(socket.udp_connect, id, server_address, server_port)
  if not ok then
    socket.close(id)
    error(("dns: server %s:%s (%s)"):format(server_address, server_port, why), 0)
  end
  skynet.error(("Udp server open %s:%s (%d)"):format(server_address, server_port, id))
  watch_idle(id)
  return id
end

local function send(query)
  last_used = skynet.now()
  fd = fd or open_server()
  if not socket.write(fd, query.message) then
    fd = nil -- it broke; the next sending opens another
  end
end

--- Sends a query until it is settled. **Yields.**
local function pursue(query)
  local deadline = skynet.now() + TIMEOUT
  repeat
    local ok, why = pcall(send, query)
    if not ok then
      query.failure = why
      break
    end
    skynet.sleep(RESEND, query)
  until by_number[query.number] ~= query or skynet.now() >= deadline
  if by_number[query.number] == query and not query.failure then
    skynet.error(("DNS query %s timeout"):format(query.name))
  end
  settle(query)
end

--- A number no query under way has; not the next one, so that it is harder to answer unasked.
local function new_number()
  local number = skynet.hpc() // 7 & 0xFFFF
  for _ = 0, 0xFFFF do
    if not by_number[number] then
      return number
    end
    number = number + 1 & 0xFFFF
  end
  error "dns: 65536 queries are under way"
end

--- Asks the server, together with all who ask the same. **Yields.**
local function ask(name, qtype)
  local question = qtype .. name
  local query = by_question[question]
  if not query then
    query = { name = name, qtype = qtype, question = question, waiting = {} }
    query.number = new_number()
    query.message = write_query(query.number, name, qtype)
    by_number[query.number], by_question[question] = query, query
    skynet.fork(pursue, query)
  end
  local ticket = {}
  table.insert(query.waiting, ticket)
  skynet.wait(ticket)
  return query
end

--- Resolves a host name. **Yields** unless the answer is known. Raises when there is none.
---@param name string
---@param ipv6? boolean whether to look for IPv6 addresses
---@return string? address
---@return string[]|string|nil addresses all of them, or why the name is refused
function dns.resolve(name, ipv6)
  name = name:lower()
  if type_of_address(name) then
    return name
  elseif not name_is_legal(name) then
    return nil, "illegal name"
  end
  local qtype = ipv6 and TYPE_AAAA or TYPE_A
  hosts = hosts or read_hosts()
  local addresses = hosts[qtype][name]
  if not addresses then
    name = name:gsub("%.+", "."):match "^%.?(.-)%.?$"
    local entry = known[qtype][name]
    if entry and skynet.now() < entry.expires then
      addresses = entry.addresses
    else
      local query = ask(name, qtype)
      -- An answer that has expired is better than none.
      addresses = query.addresses or entry and entry.addresses
        or error(query.failure or "timeout or no answer", 0)
    end
  end
  return addresses[1], addresses
end

return dns
