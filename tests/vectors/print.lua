-- Prints `name TAB hex of the result`, or `name TAB error TEXT`, for each case of the file that the
-- config key `cases` names. `record.sh` runs it on a genuine skynet, tests/process on the node.
local skynet = require "skynet"
require "skynet.manager"

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

skynet.start(function()
  for _, case in ipairs(dofile(skynet.getenv "cases")) do
    local name, make = case[1], case[2]
    local ok, result = pcall(make)
    print(name .. "\t" .. (ok and hex(result) or "error " .. result:gsub("^[^:]-:%d+: ", "")))
  end
  skynet.abort()
end)
