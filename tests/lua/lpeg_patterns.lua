-- lpeg matches as ever: literals, sets, ranges, repetition, predicates, look-behind, grammars.
local skynet = require "skynet"
require "skynet.manager"
local lpeg = require "lpeg"
local P, R, S, V, B, C = lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.B, lpeg.C

skynet.start(function()
  print(P"abc":match "abcd", P"abc":match "ab", P"":match "x", P(true):match "", P(false):match "")
  print(P(3):match "abcd", P(3):match "ab", P(-3):match "ab", P(-2):match "ab", P(0):match "")
  print(R("az", "09"):match "q", R "az":match "Q", R():match "a", S "+-":match "-", S "":match "a")
  print((P"a" ^ 0):match "aaab", (P"a" ^ 1):match "b", (P"a" ^ 2):match "aaa", (P"a" ^ -2):match "aaa", (P"ab" ^ 0):match "ababa")
  print((P"a" + "b"):match "b", (P"ab" + "ac"):match "ac", (P(1) - "a"):match "a", (P(1) - P"ab"):match "ac")
  print((-P"a"):match "b", (-P"a"):match "a", (#P"a" * 1):match "a", (#(P"a" * "b")):match "ab", (-P(1)):match "")
  print((P"a" * B "a" * "b"):match "ab", (P(1) * B(R "az" * "b")):match "ab", (P(1) * B "b"):match "ab")
  print(P"a":match("xa", 2), P"a":match("xa", -1), P"a":match("xa", -9), P"":match("abc", 9), P"":match("abc", -9))
  print(lpeg.match("a", "ab"), lpeg.match(1, "ab"), lpeg.match(true, "ab"), lpeg.match({ "ab" + P(1) * V(1) }, "xxab"))
  print(lpeg.match(function(subject, position) return position + 2 end, "abc"), (P"a" * function() return true end):match "ab")

  local balanced = P { "(" * ((1 - S "()") + V(1)) ^ 0 * ")" }
  print(balanced:match "(a(b)c)d", balanced:match "(a(b")
  local space = S " \n" ^ 0
  local number = C(P"-" ^ -1 * R "09" ^ 1) / tonumber * space
  local function eval(...)
    local list = { ... }
    local value = list[1]
    for i = 2, #list, 2 do
      local operator, right = list[i], list[i + 1]
      value = operator == "+" and value + right or operator == "-" and value - right
        or operator == "*" and value * right or value / right
    end
    return value
  end
  local arithmetic = space * P {
    "sum",
    sum = V "term" * (C(S "+-") * space * V "term") ^ 0 / eval,
    term = V "factor" * (C(S "*/") * space * V "factor") ^ 0 / eval,
    factor = number + "(" * space * V "sum" * ")" * space,
  } * -1
  print(arithmetic:match "1 + 2 * (3 - -4) * 5 - 6", arithmetic:match "1 +", arithmetic:match "((((7))))")

  -- The longest word of a list wherever it stands; right to left recursion; a list of a thousand.
  local words = P(false)
  for i = 1000, 1, -1 do
    words = words + ("word" .. i)
  end
  print(words:match "word1000", words:match "word99x", words:match "worm")
  print((P { P"a" * V(1) * "b" + "" }):match(("a"):rep(100) .. ("b"):rep(100)))
  print((P { P"a" * V(1) + "" }):match(("a"):rep(100000)))
  print((P { P(1) * V(1) + -P(1) }):match(("x"):rep(5000)))

  local locale = lpeg.locale()
  local names = {}
  for name, class in pairs(locale) do
    names[#names + 1] = ("%s=%d"):format(name, (function()
      local count = 0
      for byte = 0, 255 do
        count = count + (class:match(string.char(byte)) and 1 or 0)
      end
      return count
    end)())
  end
  table.sort(names)
  print(table.concat(names, " "))
  print(lpeg.type(P(1)), lpeg.type "a", lpeg.type(nil), type(getmetatable(P(1)).__add), lpeg.locale({ x = 1 }).x)
  skynet.abort()
end)
