--- skynet.snax: services whose functions are called by name: `object.req.name(...)` waits for the
--- result, `object.post.name(...)` does not.
---
--- Invariant: an object stands for one service; two of the same service in one state are the same.
--- Not here: reading a service's functions (snax/interface.lua), running them (service/snaxd.lua).

local skynet = require "skynet"
local read_interface = require "snax.interface"

---@class skynet.snax
local snax = {}

---@class skynet.snax.object
---@field req table<string, fun(...): ...> **yield**
---@field post table<string, fun(...)>
---@field handle integer
---@field type string

--- The globals under which the files of services are read here, where they do not run.
local globals
do
  local module = skynet.getenv "snax_interface_g"
  globals = module and require(module) or { require = function() end }
end

skynet.register_protocol {
  name = "snax",
  id = skynet.PTYPE_SNAX,
  pack = skynet.pack,
  unpack = skynet.unpack,
}

local interfaces = {}

--- The numbers of a service's functions, by group and name.
---@param name string
---@return { name: string, accept: table<string, integer>, response: table<string, integer>, system: table<string, integer> }
function snax.interface(name)
  local interface = interfaces[name]
  if not interface then
    interface = { name = name, accept = {}, response = {}, system = {} }
    for _, method in ipairs(read_interface(name, globals)) do
      local number, group, key = table.unpack(method)
      interface[group][key] = number
    end
    interfaces[name] = interface
  end
  return interface
end

--- A table whose functions send to `handle`, made when first asked for.
local function proxies(handle, interface, group, word, make)
  return setmetatable({}, {
    __index = function(self, name)
      local number = interface[group][name]
      if not number then
        error(("%s %s:%s no exist"):format(word, interface.name, name), 2)
      end
      local proxy = make(handle, number)
      rawset(self, name, proxy)
      return proxy
    end,
  })
end

local function posting(handle, number)
  return function(...)
    skynet.send(handle, "snax", number, ...)
  end
end

local function requesting(handle, number)
  return function(...)
    return skynet.call(handle, "snax", number, ...)
  end
end

local object_meta = {
  __tostring = function(object)
    return ("[%s:%x]"):format(object.type, object.handle)
  end,
}

---@type table<integer, skynet.snax.object>
local objects = setmetatable({}, { __mode = "v" })

--- The object of a service of the kind `kind`.
---@param handle integer
---@param kind string
---@return skynet.snax.object
function snax.bind(handle, kind)
  local object = objects[handle]
  if object then
    assert(object.type == kind)
    return object
  end
  local interface = snax.interface(kind)
  object = setmetatable({
    post = proxies(handle, interface, "accept", "post", posting),
    req = proxies(handle, interface, "response", "request", requesting),
    type = kind,
    handle = handle,
  }, object_meta)
  objects[handle] = object
  return object
end

--- Starts a service and runs its `init`. **Yields.**
---@param name string
---@param ... any handed to `init`
---@return integer handle
function snax.rawnewservice(name, ...)
  local system = snax.interface(name).system
  local handle = skynet.newservice("snaxd", name)
  -- Handles are used again one day: what had this one before is gone.
  objects[handle] = nil
  skynet.call(handle, "snax", system.init, ...)
  return handle
end

--- As `rawnewservice`; gives the object. **Yields.**
---@param name string
---@param ... any
---@return skynet.snax.object
function snax.newservice(name, ...)
  return snax.bind(snax.rawnewservice(name, ...), name)
end

local function managed(command, name, ...)
  local handle = assert(skynet.call(".service", "lua", command, "snaxd", name, ...))
  return snax.bind(handle, name)
end

--- The one service of its kind on this node, started if need be. **Yields.**
---@param name string
---@param ... any
---@return skynet.snax.object
function snax.uniqueservice(name, ...)
  return managed("LAUNCH", name, ...)
end

--- The one service of its kind in the network, started if need be. **Yields.**
---@param name string
---@param ... any
---@return skynet.snax.object
function snax.globalservice(name, ...)
  return managed("GLAUNCH", name, ...)
end

--- The one service of its kind on this node, once somebody has started it. **Yields.**
---@param name string
---@return skynet.snax.object
function snax.queryservice(name)
  return managed("QUERY", name)
end

--- The one service of its kind in the network, once somebody has started it. **Yields.**
---@param name string
---@return skynet.snax.object
function snax.queryglobal(name)
  return managed("GQUERY", name)
end

--- Calls one of the functions that every service has.
local function system_call(object, name, ...)
  local number = snax.interface(object.type).system[name]
  return skynet.call(object.handle, "snax", number, ...)
end

--- Ends a service after its `exit` has run. **Yields.**
---@param object skynet.snax.object
---@param ... any handed to `exit`
function snax.kill(object, ...)
  system_call(object, "exit", ...)
end

--- The object of this service.
---@return skynet.snax.object
function snax.self()
  return snax.bind(skynet.self(), SERVICE_NAME)
end

--- Ends this service after its `exit` has run. **Yields.**
---@param ... any
function snax.exit(...)
  snax.kill(snax.self(), ...)
end

local function results_or_raise(ok, ...)
  if not ok then
    error(...)
  end
  return ...
end

--- Replaces functions of a living service by those in `source`, whose locals without a value are
--- the service's own. Results of the source's `hotfix`. **Yields.** Raises what went wrong there.
---@param object skynet.snax.object
---@param source string
---@param ... any handed to `hotfix`
---@return any ...
function snax.hotfix(object, source, ...)
  return results_or_raise(system_call(object, "hotfix", source, ...))
end

--- Writes a formatted line to the log.
---@param format string
---@param ... any
function snax.printf(format, ...)
  skynet.error(format:format(...))
end

--- How often each function of a service ran, and for how many seconds. **Yields.**
---@param object skynet.snax.object
---@return table<string, { count: integer, time: number }>
function snax.profile_info(object)
  return system_call(object, "profile")
end

return snax
