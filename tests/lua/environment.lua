-- config: text = "word"
-- config: integer = 42
-- config: float = 1.5
-- config: yes = true
-- config: no = false
-- config: empty = ""
-- config: spaced = " a  b "
-- config: absent = nil
-- getenv gives config values as strings; setenv adds a key once for all services and never changes one.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, ok and "" or (message:gsub("^.*:%d+: ", "")))
end

local function show(...)
  for _, key in ipairs { ... } do
    local value = skynet.getenv(key)
    print(key, value and ("%q"):format(value))
  end
end

skynet.start(function()
  show("text", "integer", "float", "yes", "no", "empty", "spaced", "absent", "nosuch")
  show("thread", "harbor", "start", "bootstrap", "standalone")

  try("new", skynet.setenv, "fresh", "value")
  try("again", skynet.setenv, "fresh", "other")
  try("same value", skynet.setenv, "fresh", "value")
  try("config key", skynet.setenv, "text", "other")
  try("number", skynet.setenv, "number", 12)
  try("float", skynet.setenv, "number2", 1.5)
  try("with spaces", skynet.setenv, "sentence", "a b  c")
  try("empty", skynet.setenv, "nothing", "")
  try("boolean", skynet.setenv, "flag", true)
  show("fresh", "text", "number", "number2", "sentence", "nothing", "flag")

  local other = skynet.newservice "environment_reader"
  print("other service", skynet.call(other, "lua", "fresh"), skynet.call(other, "lua", "text"))
  skynet.abort()
end)
