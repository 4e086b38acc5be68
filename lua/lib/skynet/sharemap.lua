--- skynet.sharemap: one structure that one service writes and others read, by the types of a sproto
--- schema.
---
--- Invariant: a reader shows the version of its last `update`; a version is what the writer had
--- committed. Nothing here yields.
--- Not here: passing the bytes between services (native module `skynet.stm`).

local stm = require "skynet.stm"
local sprotoloader = require "sprotoloader"

local sharemap = {}

--- Where the schema of all maps of the process stands.
local SLOT = 0

--- Loads the schema for all services of the process.
---@param protofile string
function sharemap.register(protofile)
  sprotoloader.register(protofile, SLOT)
end

local schema

local function types()
  schema = schema or sprotoloader.load(SLOT)
  return schema
end

---@class skynet.sharemap.writer
---@field commit fun(self) makes what the map has now visible to readers
---@field copy fun(self): lightuserdata what readers are made from
---@field [any] any the map itself

local function commit(self)
  self.__obj(types():encode(self.__typename, self.__data))
end

local function copy(self)
  return stm.copy(self.__obj)
end

--- A map that this service writes.
---@param typename string
---@param map table?
---@return skynet.sharemap.writer
function sharemap.writer(typename, map)
  map = map or {}
  return setmetatable({
    __typename = typename,
    __obj = stm.new(types():encode(typename, map)),
    __data = map,
    commit = commit,
    copy = copy,
  }, { __index = map, __newindex = map })
end

---@class skynet.sharemap.reader
---@field update fun(self): boolean, table? shows the latest version; false if there is no newer one
---@field [any] any the map itself

local function decode(message, size, self)
  -- Who holds the table sees the new version as well.
  local map, latest = self.__data, types():decode(self.__typename, message, size)
  for key in pairs(map) do
    map[key] = nil
  end
  for key, value in pairs(latest) do
    map[key] = value
  end
  return map
end

local function update(self)
  return self.__obj(decode, self)
end

local function refuse(_, key)
  error(("a reader of a sharemap cannot be written to (key %s)"):format(tostring(key)), 2)
end

--- A map that another service writes, as it is now.
---@param typename string
---@param copied lightuserdata what the writer's `copy` gave
---@return skynet.sharemap.reader
function sharemap.reader(typename, copied)
  local map = {}
  local reader = { __typename = typename, __obj = stm.newcopy(copied), __data = map }
  update(reader)
  reader.update = update
  return setmetatable(reader, { __index = map, __newindex = refuse })
end

return sharemap
