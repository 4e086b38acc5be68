-- Files are opened and never closed.
-- expect: Too many open files
-- sandbox: message_time = "20s"
local skynet = require "skynet"

skynet.start(function()
  local all = {}
  while true do
    local file, why = io.open("/dev/null")
    if not file then
      error(why)
    end
    all[#all + 1] = file
  end
end)
