-- Helper: reads a path of keys in a sharedata table and keeps the table.
local skynet = require "skynet"
local sharedata = require "skynet.sharedata"

skynet.start(function()
  skynet.dispatch("lua", function(_, _, name, ...)
    local value = sharedata.query(name)
    for _, key in ipairs { ... } do
      value = value[key]
    end
    skynet.retpack(value)
  end)
end)
