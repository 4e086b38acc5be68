--- Service `datacenterd`, the global name `DATACENTER`: a tree of values for the whole network.
---
--- Invariant: whoever waits for a value is answered when there is one, or fails when its place
--- becomes a branch of the tree by a value below it.
--- Not here: how it is asked (lib/skynet/datacenter.lua).

local skynet = require "skynet"

local root = {}

---@class datacenter.place
---@field below table<any, datacenter.place>
---@field answers (fun(ok: boolean, ...: any))[]

local function new_place()
  return { below = {}, answers = {} }
end

--- Who waits where; places without anybody are taken away.
local waiting = new_place()

--- Raises when one of the keys is none.
local function check(path)
  for depth = 1, math.max(path.n, 1) do
    if path[depth] == nil then
      error(("datacenter: key %d is nil"):format(depth), 0)
    end
  end
end

--- `value`, if keys can stand below it.
local function branch_of(value, path, depth)
  if type(value) ~= "table" then
    error(("datacenter: [%s] is a %s, which has nothing below it")
      :format(table.concat(path, ".", 1, depth), type(value)), 0)
  end
  return value
end

--- The value at a path; no result at all below what is not there.
local function value_at(path)
  local value = root
  for depth = 1, path.n do
    if value == nil then
      return
    end
    value = branch_of(value, path, depth - 1)[path[depth]]
  end
  return value
end

--- Answers those who wait below `place`, where there is `value` now.
local function answer_all(place, value)
  for key, below in pairs(place.below) do
    local found
    if type(value) == "table" then
      found = value[key]
    end
    if found ~= nil then
      answer_all(below, found)
      place.below[key] = nil
    end
  end
  for _, answer in ipairs(place.answers) do
    answer(true, value)
  end
  place.answers = {}
end

--- Tells those who wait that `value` has been set at `path`.
local function announce(path, value)
  local place = waiting
  for depth = 1, path.n do
    local parent = place
    place = parent.below[path[depth]]
    if not place then
      return
    elseif depth < path.n then
      for _, answer in ipairs(place.answers) do
        answer(false)
      end
      place.answers = {}
    else
      answer_all(place, value)
    end
    if #place.answers == 0 and next(place.below) == nil then
      parent.below[path[depth]] = nil
    end
  end
end

local commands = {}

function commands.QUERY(...)
  if select("#", ...) > 0 then
    return value_at(table.pack(...))
  end
end

--- The last argument is the value; gives the one before it, nothing where the value is the first.
function commands.UPDATE(...)
  local path = table.pack(...)
  path.n = path.n == 1 and 2 or path.n -- A key alone loses its value.
  local value = path[path.n]
  path[path.n], path.n = nil, path.n - 1
  check(path)
  local branch = root
  for depth = 1, path.n - 1 do
    local below = branch[path[depth]]
    if below == nil then
      if value == nil then
        return nil
      end
      below = {}
      branch[path[depth]] = below
    end
    branch = branch_of(below, path, depth)
  end
  local key = path[path.n]
  local before = branch[key]
  branch[key] = value
  if before == nil and value ~= nil then
    announce(path, value)
    return
  end
  return before
end

local function wait_for(path)
  check(path)
  local place = waiting
  for depth = 1, path.n do
    local key = path[depth]
    place.below[key] = place.below[key] or new_place()
    place = place.below[key]
  end
  place.answers[#place.answers + 1] = skynet.response()
end

skynet.start(function()
  skynet.dispatch("lua", function(_, _, command, ...)
    if command == "WAIT" then
      local path = table.pack(...)
      local value = value_at(path)
      if value ~= nil then
        skynet.retpack(value)
      else
        wait_for(path)
      end
      return
    end
    local handler = commands[command] or error(("datacenterd: unknown command %s"):format(command), 0)
    skynet.retpack(handler(...))
  end)
end)
