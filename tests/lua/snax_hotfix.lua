-- A hotfix replaces functions of a living snax service; its locals without a value are the service's own.
-- config: snax = "tests/lua/snax/?.lua"
local skynet = require "skynet"
require "skynet.manager"
local snax = require "skynet.snax"

skynet.start(function()
  local counter = snax.newservice "counter"
  print(counter.req.add(5))
  print("results", snax.hotfix(counter, [[
    local count
    local word
    local factor = 10

    local function raise(n)
      count = count + n * factor
    end

    function response.add(n)
      raise(n)
      return count, word, print ~= nil
    end

    function hotfix(...)
      local before = count
      word = ...
      return before, select("#", ...)
    end
  ]], "fixed", nil))
  print(counter.req.add(1))
  counter.post.note "untouched"
  print("again", snax.hotfix(counter, "local count function response.nothing() return count end"))
  print(counter.req.nothing())

  local function fails(source)
    local ok, err = pcall(snax.hotfix, counter, source)
    print(ok, (tostring(err):match "Patch mismatch [%w.]+" or "other error"))
  end
  fails "function response.nosuch() end"
  fails "function accept.add() end"
  fails "this is no Lua"
  fails "error 'in the chunk'"
  fails "function hotfix() error 'in hotfix' end"
  print(counter.req.add(0))
  skynet.abort()
end)
