--- Service `snaxd NAME`: runs the functions of the snax service NAME.
---
--- Invariant: nothing but `init` runs before `init` has, and a function is timed however it ends.
--- Not here: which function has which number (lib/snax/interface.lua), callers (lib/skynet/snax.lua).

local skynet = require "skynet"
local profile = require "skynet.profile"
local snax = require "skynet.snax"
local read_interface = require "snax.interface"
local traceback = require("skynet.internal").traceback

local name = tostring(...)
local loader_file = skynet.getenv "snax_loader"
local loader = loader_file and assert(dofile(loader_file), "snax_loader gives no function")
local methods, pattern = read_interface(name, _ENV, loader)

-- The modules of the service stand in the folder with its name.
local folder = pattern:sub(1, (pattern:find("?", 1, true) or #pattern + 1) - 1) .. name .. "/"
package.path = folder .. "?.lua;" .. package.path
SERVICE_NAME = name
SERVICE_PATH = folder

---@type table<string, { count: integer, time: number }>
local figures = {}
local initialised = false

local function count(key, time)
  local figure = figures[key]
  if not figure then
    figure = { count = 0, time = 0 }
    figures[key] = figure
  end
  figure.count = figure.count + 1
  figure.time = figure.time + time
end

local function answer(func, ...)
  return skynet.retpack(func(...))
end

--- Runs a function of the service and takes its time.
local function run(method, ...)
  local _, group, key, func = table.unpack(method)
  local ok, why
  profile.start()
  if group == "accept" then
    ok, why = xpcall(func, traceback, ...)
  else
    ok, why = xpcall(answer, traceback, func, ...)
  end
  count(key, profile.stop())
  if not ok then
    error(why, 0)
  end
end

local system = {}

function system.init(func, ...)
  assert(not initialised, "Already init")
  if func then
    func(...)
  end
  skynet.ret()
  skynet.info_func(function()
    return figures
  end)
  initialised = true
end

function system.exit(func, ...)
  assert(initialised, "Never init")
  if func then
    func(...)
  end
  skynet.ret()
  initialised = false
  skynet.exit()
end

function system.hotfix(_, ...)
  skynet.retpack(require "snax.hotfix"(methods, ...))
end

function system.profile()
  skynet.retpack(figures)
end

local function dispatch(_, _, number, ...)
  local method = methods[number] or error(("snax %s: no function %s"):format(name, number), 0)
  if method[2] == "system" then
    system[method[3]](method[4], ...)
  else
    assert(initialised, "Init first")
    run(method, ...)
  end
end

--- Lets other nodes of the cluster call this service.
function snax.enablecluster()
  skynet.dispatch("lua", dispatch)
end

skynet.start(function()
  skynet.dispatch("snax", dispatch)
end)
