-- Tables travel by value: up to 32 levels, shared parts copied twice, __pairs obeyed, other metatables lost.
local skynet = require "skynet"
require "skynet.manager"

local function trip(...)
  return skynet.unpack(skynet.packstring(...))
end

local function nested(levels)
  local top = {}
  local inner = top
  for _ = 2, levels do
    inner[1] = {}
    inner = inner[1]
  end
  inner.value = "bottom"
  return top
end

local function bottom(t)
  local depth = 1
  while t[1] do
    t, depth = t[1], depth + 1
  end
  return depth, t.value
end

local function text(message)
  return (tostring(message):gsub("^.*:%d+: ", ""))
end

skynet.start(function()
  local t = trip { 1, 2, 3, x = "y", [10] = 10, [1.5] = "float key", [true] = "boolean key", [-1] = "negative" }
  print(#t, t.x, t[10], t[1.5], t[true], t[-1])
  print(math.type(next(trip { [7] = 1 })), math.type(next(trip { [7.5] = 1 })))

  -- Holes: what rawlen calls the array travels as array, nils included.
  t = trip { 1, nil, 3 }
  print(t[1], t[2], t[3])
  t = trip { nil, nil, 3, n = 3 }
  print(t[1], t[2], t[3], t.n)

  print("32 levels", bottom(trip(nested(32))))
  local ok, message = pcall(skynet.packstring, nested(33))
  print("33 levels", ok, text(message))
  local cycle = {}
  cycle.self = cycle
  ok, message = pcall(skynet.pack, cycle)
  print("cycle", ok, text(message))

  local shared = { "shared" }
  t = trip { shared, shared }
  print("shared", t[1][1], t[2][1], t[1] == t[2])

  t = trip(setmetatable({ 1 }, { __index = { x = "inherited" }, __len = function() return 9 end }))
  print("metatable", #t, t.x, getmetatable(t))

  local pairs_only = setmetatable({ "hidden" }, {
    __pairs = function(self)
      return function(_, key)
        if not key then
          return 1, "from __pairs"
        end
        if key == 1 then
          return "k", self[1]
        end
      end, self, nil
    end,
  })
  t = trip(pairs_only)
  print("__pairs", t[1], t.k)

  ok, message = pcall(skynet.packstring, setmetatable({}, { __pairs = function() error("from __pairs", 0) end }))
  print("__pairs raises", ok, message)
  skynet.abort()
end)
