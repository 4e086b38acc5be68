-- require inside a service works as in plain Lua: one run per service, the module's name and file as arguments.
local skynet = require "skynet"
require "skynet.manager"

package.path = "tests/lua/modules/?.lua;" .. package.path

local first = require "plain"
skynet.start(function()
  print("same", require "plain" == first, package.loaded.plain == first)
  package.loaded.plain = nil
  print("anew", require("plain").runs)

  local ok, message = pcall(require, "there.is.no.such.module")
  print(ok, message:match "module 'there%.is%.no%.such%.module' not found:")
  package.preload.made = function(name)
    return { name = name }
  end
  print("preload", require("made").name)
  print("skynet", require "skynet" == skynet)
  skynet.abort()
end)
