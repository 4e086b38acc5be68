-- Native functions of the framework, found on the stack and called by the script.
-- expect: the framework was called in vain
local skynet = require "skynet"

skynet.start(function()
  local found = {}
  local function collect()
    for level = 1, 30 do
      local info = debug.getinfo(level, "fS")
      if not info then break end
      if info.what == "C" and info.func then found[info.func] = true end
    end
    return "text"
  end
  local main = coroutine.create(collect)
  coroutine.resume(main)
  local object = setmetatable({}, { __tostring = collect, __gc = collect })
  skynet.init(collect)
  skynet.timeout(0, collect)
  skynet.fork(error, object)
  skynet.fork(collect)
  skynet.fork(skynet.pack, setmetatable({}, { __pairs = collect }))
  skynet.error(object)
  collectgarbage()
  skynet.sleep(1)
  for f in pairs(found) do
    if f ~= coroutine.yield then
      pcall(f)
      pcall(f, 1)
      pcall(f, {})
      pcall(coroutine.wrap(f), 1, 2, 3)
    end
  end
  -- Those that anybody can reach.
  local lookup = getmetatable(skynet)
  for _, f in pairs(lookup or {}) do
    pcall(f, 5, "send")
    pcall(f)
  end
  assert(not next(found), "has escaped: functions of the framework")
  skynet.error "the framework was called in vain"
end)
