-- since: 1.8.9
-- bridge.core: messages and their fields, requests and their answers, wrong arguments, a machine step by step
local skynet = require "skynet"
local core = require "bridge.core"
local bridge = require "bridge"
require "skynet.manager"

local function text(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local list = {}
  for name, inner in pairs(value) do
    list[#list + 1] = name .. "=" .. text(inner)
  end
  table.sort(list)
  return "{" .. table.concat(list, ",") .. "}"
end

local function show(...)
  local list = table.pack(...)
  for i = 1, list.n do
    list[i] = text(list[i])
  end
  print(table.concat(list, " "))
end

-- What is raised, without the position of the line.
local function raised(f, ...)
  local ok, why = pcall(f, ...)
  print(ok and "no error" or type(why) == "string" and why:gsub("^[^ ]+:%d+: ", "") or "no string")
end

skynet.start(function()
  local f, d = core.new("f", "d"), core.new("d", "f")

  print "-- fields"
  show(core.notice(f, "10001", "mail", { text = "a@b|c=d%\n金\xff", n = 7, x = 1.5, whole = 2.0, yes = true }))
  show(core.receive(d, core.notice(f, "u|1", "mail", { text = "a@b|c=d%\n金" })))
  show(core.receive(d, "ping@uid=1"))
  show(core.receive(d, "say@uid=1|text=50% = half"))

  print "-- a request and its answer"
  local message, session = core.request(f, "10001", "req_x", { a = 1 }, 100)
  print(message == ("req_x@a=1|session=%d|uid=10001"):format(session), math.type(session), core.open(f))
  local kind, command, uid, fields, theirs, id, member = core.receive(d, message)
  show(kind, command, uid, fields, theirs == tostring(session), id)
  print(member == ("req_x@a=1|session=%d"):format(session))
  local answer = core.answer(d, uid, command, theirs, { b = 2 })
  show((core.receive(f, (answer:gsub("10001", "10002")))))
  show((core.receive(f, answer)), core.open(f))
  show((core.receive(f, answer)))
  message, session = core.request(f, "10001", "req_x", nil, 100)
  show(core.expire(f, 99), core.expire(f, 100) == session, core.expire(f, 100), core.close(f, session))

  print "-- what is no message"
  for _, bytes in ipairs { "", "@", "a b@", "x@uid", "x@uid=1|uid=2", "x@a=1", "x@uid=", ("x"):rep(65537) } do
    show(core.receive(d, bytes))
  end

  print "-- wrong arguments"
  raised(core.new, "f_", "d")
  raised(core.new, "f", "f")
  raised(core.notice, f, "", "x", {})
  raised(core.notice, f, ("u"):rep(129), "x", {})
  raised(core.notice, f, "1", "a b", {})
  raised(core.notice, f, "1", "x", { ["a b"] = 1 })
  raised(core.notice, f, "1", "x", { [1] = 1 })
  raised(core.notice, f, "1", "x", { a = {} })
  raised(core.notice, f, "1", "x", { session = 1 })
  raised(core.notice, f, "1", "x", { _a = 1 })
  raised(core.notice, f, "1", "x", { a = ("v"):rep(65536) })
  raised(core.notice, io.stdout, "1", "x", {})
  raised(core.give, f, "1", "f-1-1", "req_mv_gold", "1", "push", "shared", 0, { gold = 0 })
  raised(core.give, f, "1", "f-1-1", "req_mv_gold", "1", "push", "shared", 0, { gold = -5 })
  raised(core.give, f, "1", "f-1-1", "req_mv_gold", "1", "push", "shared", 0, { gold = 0.5 })
  raised(core.give, f, "1", "f-1-1", "req_mv_gold", "1", "push", "shared", 0, { gold = 1 << 53 })
  raised(core.give, f, "1", "f-1-1", "req_mv_gold", "1", "sideways", "shared", 0, { gold = 1 })
  raised(core.resume, f, "1", "f-1-1", "nonsense", "shared")
  raised(bridge.open, nil)
  raised(bridge.open, { redis = {}, own = "f", peer = "d-" })

  print "-- a push that is answered, and one that is not"
  local function begin()
    return core.give(f, "1", "f-1-1", "req_mv_gold", "5", "push", "shared", 7, { gold = 10, ["item.1"] = 2 })
  end
  local record = "_at=7|_by=f|_command=req_mv_gold|_mode=push|_session=5|gold=10|item.1=2"
  local push = begin()
  show(core.step(push, "start"))
  show(core.step(push, "reply", { "offered", record }))
  show(core.step(push, "sent"))
  show(core.step(push, "yes"))
  show(core.step(push, "reply", { "closed", record }))
  push = begin()
  core.step(push, "start")
  core.step(push, "reply", { "offered", record })
  core.step(push, "sent")
  show(core.step(push, "silence"))
  show(core.step(push, "reply", { "stored", record }))
  show(core.step(begin(), "sent"))
  raised(core.step, begin(), "dance")
  raised(core.step, begin(), "reply", {})

  print "-- its other end"
  local take = core.take(d, "1", "f-1-1", "req_mv_gold", "5", "own", "request", "req_mv_gold@gold=10|id=f-1-1|session=5")
  show(core.step(take, "start"))
  show(core.step(take, "reply", { "accepted", record }))
  show(core.step(take, "given"))
  show(core.step(take, "sent"))
  show(core.step(take, "reply", { "applied", record }))
  show(core.record(d, "stored@" .. record))
  show(core.record(d, "nonsense"))
  show(core.member(d, "req_mv_gold@gold=10|session=1"))
  skynet.abort()
end)
