-- Messages to itself and to a neighbour that never takes them, without end.
-- expect: mailbox full: snlua flood_messages has 1000 messages
-- expect: mailbox full: snlua support/stuck has 1000 messages
local skynet = require "skynet"

skynet.start(function()
  skynet.dispatch("lua", print)
  local stuck = skynet.newservice "support/stuck"
  for _, address in ipairs { skynet.self(), stuck } do
    while skynet.send(address, "lua") ~= false do end
    for session = 1, 10000 do
      skynet.redirect(address, stuck, "response", session, "made up")
    end
  end
end)
