--- Service `clusterd`: where other nodes are, and which services they may call by name.
---
--- Invariant: what the cluster file or a table says last is what holds, for the names it says; a file
--- that cannot be read changes nothing.
--- Not here: connections and calls (native, `skynet.cluster.network`), names that are in Redis
--- (skynet/internal/discovery.lua).

local skynet = require "skynet"
local network = require "skynet.cluster.network"
local internal = require "skynet.internal"

--- Time between two looks at the cluster file, in centiseconds.
local WATCH = 100

--- Where a node listens that finds the others through Redis, unless the config says.
local ANYWHERE = "0.0.0.0:0"

local file = skynet.getenv "cluster"

---@type skynet.internal.discovery? instead of a file
local discovery

---@type table<string, string|false>
local addresses = {}
---@type table<string, any> the entries that begin with two underscores
local options = {}

--- The entries of the cluster file.
local function read_file()
  local entries = {}
  if file then
    local source, why = io.open(file, "rb")
    if not source then
      error("cluster file " .. why, 0)
    end
    local text = source:read "a"
    source:close()
    local chunk, mistake = load(text, "@" .. file, "t", entries)
    if not chunk then
      error("cluster file " .. mistake, 0)
    end
    chunk()
  end
  return entries
end

local function set_option(name, value)
  if options[name] ~= value then
    options[name] = value
    skynet.error(("Config %s = %s"):format(name, tostring(value)))
    if name == "nowaiting" then
      network.set_nowaiting(value and true or false)
    end
  end
end

local function reload(entries)
  entries = entries or read_file()
  for name, address in pairs(entries) do
    if type(name) ~= "string" then
      error(("cluster node [%s]: its name is no string"):format(tostring(name)), 0)
    end
    if name:sub(1, 2) ~= "__" and address ~= addresses[name] then
      network.set_node(name, address)
      addresses[name] = address
    end
  end
  -- Afterwards, so that nobody is refused for an address that stands in the same file.
  for name, value in pairs(entries) do
    if name:sub(1, 2) == "__" then
      set_option(name:sub(3), value)
    end
  end
end

--- Takes edits of the file.
local function watch()
  local stamp = internal.file_stamp(file)
  while true do
    skynet.sleep(WATCH)
    local now = internal.file_stamp(file)
    if now and now ~= stamp then
      stamp = now
      local ok, why = pcall(reload)
      if ok then
        skynet.error(("cluster file %s has changed: reloaded"):format(file))
      else
        skynet.error(("cluster file %s has changed, but keeps its former entries: %s"):format(file, why))
      end
    end
  end
end

--- Takes what Redis says about a node that no table has named.
local function found(name, address)
  if addresses[name] ~= nil then
    return
  end
  if address == nil and options.nowaiting then
    address = false
  end
  if address ~= nil then
    local ok, why = pcall(network.set_node, name, address)
    if not ok then
      skynet.error(why)
    end
  end
end

local commands = {}

function commands.reload(_, entries)
  reload(entries)
end

function commands.listen(_, address, port, maxclient)
  local name
  if port == nil then
    name = address
    address = addresses[name]
    if address == nil and discovery then
      address = skynet.getenv "cluster_listen" or ANYWHERE
    end
    assert(address, name .. " is down")
  else
    address = (tostring(address):find ":" and "[%s]:%d" or "%s:%d"):format(address, port)
  end
  local host, bound = network.listen(address, maxclient)
  if not host then
    error(bound, 0)
  end
  if discovery and name then
    discovery:announce(name, host, bound)
  end
  return host, bound
end

--- A link has requests for a node and does not know where it is.
function commands.find(_, node)
  found(node, discovery:find(node))
end

function commands.sender(_, node)
  local address = addresses[node]
  if address == nil and discovery then
    address = discovery:find(node)
  end
  if address == false or address == nil and options.nowaiting then
    error(("cluster node [%s] is %s."):format(node, address == false and "down" or "absent"))
  end
  return network.sender(node)
end

function commands.senders()
  return network.senders()
end

function commands.proxy(_, node, name)
  if name == nil then
    local whole = tostring(node)
    node, name = whole:match "^([^@.]+)([@.].+)"
    if not name then
      error("Invalid name " .. whole)
    end
  end
  return network.proxy(node, name)
end

function commands.register(source, name, address)
  address = address or source
  if not network.register(name, address) then
    error(("cluster name [%s] belongs to :%08x"):format(name, network.registered(name)))
  end
  skynet.error(("Register [%s] :%08x"):format(name, address))
end

function commands.unregister(_, name)
  local address = network.unregister(name)
  if address then
    skynet.error(("Unregister [%s] :%08x"):format(name, address))
  end
end

function commands.queryname(_, name)
  return network.registered(name)
end

skynet.start(function()
  if file and file:find "^rediss?://" then
    discovery = require("skynet.internal.discovery").new(file, skynet.getenv "cluster_announce", found)
    file = nil
    network.set_finder(true)
    skynet.fork(discovery.run, discovery)
    skynet.on_stop(function()
      discovery:leave()
    end)
  end
  reload()
  skynet.dispatch("lua", function(_, source, command, ...)
    local run = assert(commands[command], command)
    skynet.retpack(run(source, ...))
  end)
  if file and skynet.getenv "cluster_watch" ~= "false" then
    skynet.fork(watch)
  end
end)
