-- skynet.injectcode runs source as if it stood in a function on the stack: it sees and changes its variables.
local skynet = require "skynet"
require "skynet.manager"
local injectcode = require "skynet.injectcode"

local upper = "upper"

local function probe(...)
  local first, second = 1, { "table" }
  print(injectcode "return first, second[1], upper, ...")
  print(injectcode "first, upper = first + 41, 'changed'")
  print(first, upper)
  print(injectcode("return first + given", nil, 0, { given = 8 }))
  print(injectcode "return nosuch, print == nil")
  print((injectcode "error 'in the piece'"), (injectcode "this is no Lua"))
  return first
end

local function outer()
  local word = "of the caller"
  local function inner()
    local own = "own"
    return injectcode("word = word .. '!' return word, own", nil, 1), own
  end
  print(inner())
  print(word)
end

skynet.start(function()
  print(probe("a", "b"))
  outer()

  local thread = skynet.fork(function(argument)
    local counter = 0
    repeat
      counter = counter + 1
      skynet.wait()
    until counter > 10
    print("the thread saw", counter, argument)
  end, "argument")
  skynet.yield()
  -- The wait is on top of the stack, the function below it.
  local function find_level()
    for level = 0, 20 do
      local ok, counter = injectcode("return counter", thread, level)
      if ok and counter then
        return level
      end
    end
  end
  local level = find_level()
  print(injectcode("return counter, argument", thread, level))
  print(injectcode("counter = 100", thread, level))
  print(injectcode("return counter", thread, level))
  skynet.wakeup(thread)
  skynet.yield()
  skynet.abort()
end)
