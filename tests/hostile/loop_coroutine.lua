-- An endless loop in a coroutine inside a coroutine, each resumed again and again.
-- expect: message interrupted: it takes longer than its limit
local skynet = require "skynet"

skynet.start(function()
  local function resume_for_ever(f)
    return function()
      while true do
        coroutine.resume(coroutine.create(f))
      end
    end
  end
  resume_for_ever(resume_for_ever(function() while true do end end))()
end)
