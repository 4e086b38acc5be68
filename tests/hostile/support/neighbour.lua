-- The neighbour that calls: a few calls every hundredth of a second, and how long they take.
local skynet = require "skynet"
require "skynet.manager"

-- Calls that a report has to be made of.
local FEWEST = 100

local times = {}
local echo

local function measure()
  while true do
    skynet.sleep(1)
    for _ = 1, 5 do
      local began = skynet.hpc()
      assert(skynet.call(echo, "lua", "x") == "x")
      times[#times + 1] = skynet.hpc() - began
    end
  end
end

skynet.start(function()
  echo = skynet.newservice "support/echo"
  skynet.register ".neighbour"
  skynet.dispatch("lua", function()
    while #times < FEWEST do
      skynet.sleep(1)
    end
    local sorted = times
    times = {}
    table.sort(sorted)
    skynet.retpack(sorted[#sorted * 99 // 100] // 1000, sorted[#sorted] // 1000, #sorted)
  end)
  skynet.fork(measure)
end)
