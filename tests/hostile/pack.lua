-- Values that cannot be packed: cycles, functions, 33 levels, threads.
-- expect: serialize can't pack too depth table
-- expect: Unsupport type function to serialize
-- expect: Unsupport type thread to serialize
local skynet = require "skynet"

skynet.start(function()
  local function try(value)
    local ok, why = pcall(skynet.pack, value)
    assert(not ok)
    skynet.error(why)
  end
  local cycle = {}
  cycle.cycle = cycle
  try(cycle)
  local deep = {}
  for _ = 1, 33 do deep = { deep } end
  try(deep)
  try(print)
  try { [print] = 1 }
  try(coroutine.running())
  try(io.stdout)
  try(setmetatable({}, { __pairs = function() return function() return 1, print end end }))
  skynet.send(skynet.self(), "lua", cycle)
end)
