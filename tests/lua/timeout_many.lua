-- Timers of equal delay fire in the order they were made, also when there are thousands over several delays.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
  local fired = {}
  local count = 0
  for i = 1, 3000 do
    local delay = i % 3 * 4
    skynet.timeout(delay, function()
      local list = fired[delay] or {}
      fired[delay] = list
      list[#list + 1] = i
      count = count + 1
    end)
  end
  repeat
    skynet.sleep(1)
  until count == 3000
  for delay = 0, 8, 4 do
    local sorted = true
    for i = 2, #fired[delay] do
      sorted = sorted and fired[delay][i - 1] < fired[delay][i]
    end
    print(delay, #fired[delay], sorted)
  end
  skynet.abort()
end)
