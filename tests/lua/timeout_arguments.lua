-- Delays are integers in centiseconds: an integral float or a numeric string serves, a fraction raises.
local skynet = require "skynet"
require "skynet.manager"

local function try(what, f, ...)
  local ok, message = pcall(f, ...)
  print(what, ok, ok and "" or (message:gsub("^.*:%d+: ", ""):gsub("#%d to '.-'", "#N to FUNCTION")))
end

skynet.start(function()
  try("sleep 1.0", skynet.sleep, 1.0)
  try("sleep '1'", skynet.sleep, "1")
  try("sleep -5", skynet.sleep, -5)
  try("sleep 0.5", skynet.sleep, 0.5)
  try("timeout 1.5", skynet.timeout, 1.5, print)
  try("sleep huge float", skynet.sleep, 1e300)
  try("sleep nil", skynet.sleep)
  try("sleep table", skynet.sleep, {})
  try("timeout nil", skynet.timeout, nil, print)
  print(type(skynet.timeout(100, function() end)))
  skynet.abort()
end)
