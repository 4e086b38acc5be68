-- lpeg captures: texts, positions, constants, tables, groups, back references, folds, substitutions, match time.
local skynet = require "skynet"
require "skynet.manager"
local lpeg = require "lpeg"
local P, R, S, V, C, Cc, Cp, Ct, Cg, Cb, Cf, Cs, Cmt, Carg =
  lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.C, lpeg.Cc, lpeg.Cp, lpeg.Ct, lpeg.Cg, lpeg.Cb, lpeg.Cf, lpeg.Cs, lpeg.Cmt, lpeg.Carg

local function list(t)
  local parts = {}
  for i = 1, #t do
    parts[i] = type(t[i]) == "table" and "{" .. list(t[i]) .. "}" or tostring(t[i])
  end
  local names = {}
  for key, value in pairs(t) do
    if type(key) ~= "number" then
      names[#names + 1] = tostring(key) .. "=" .. (type(value) == "table" and "{" .. list(value) .. "}" or tostring(value))
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    parts[#parts + 1] = name
  end
  return table.concat(parts, " ")
end

skynet.start(function()
  print(C "a":match "a", C(C "a" * C "b"):match "ab", (Cp() * "a" * Cp()):match "a")
  print(Cc(1, nil, "x"):match "", select("#", Cc(nil):match ""), select("#", Cc():match "x"), Cc():match "x")
  print(Carg(1):match("", 1, "first", "second"), Carg(2):match("", 1, "first", "second"))
  print(list(Ct(C(1) ^ 0):match "abc"), list(Ct(Cg(C "a", "name") * C "b" * Cg(C(1) * C(1), "pair")):match "abcd"))
  print(list(Ct(Ct(C(1)) * Ct "" * Cc {}):match "a"), list(Ct(Cg(1)):match "a"))
  print((C(1) / string.upper):match "a", (P"a" / string.upper * (C "b" / 1)):match "ab", (P"a" / function() end):match "a")
  print((C(1) / { a = "A", b = false }):match "a", (C(1) / { b = false }):match "b", (C(1) / {}):match "x")
  print((C(1) * C(1) * C(1) / "%3%2%1 %0 %%"):match "abc", (P"ab" / "[%0]"):match "ab", (C(1) * Cc(5) * Cp() / "%1-%2-%3"):match "x")
  print((C(1) * C(1) / 2):match "ab", select("#", (C(1) / 0):match "a"), (C(1) / 0):match "a", (P"ab" / 1):match "ab")
  print(Cf(C(1) * C(1) * C(1), function(a, b) return b .. a end):match "abc")
  local pairs_of = Cf(Ct "" * Cg(C(R "az" ^ 1) * "=" * C(R "09" ^ 1) * P"," ^ -1) ^ 0, rawset)
  print(list(pairs_of:match "a=1,bc=23,d=4"))
  print(Cs((P"a" / "x" + 1) ^ 0):match "banana", Cs((S "ab" / { a = "1" } + 1) ^ 0):match "abc", Cs(1 * Cs(1) * (P(1) / "%0%0")):match "abc")
  print(Cs((C(1) * C(1) / function(a, b) return b, a end) ^ 0):match "abcd", Cs(Cc(7) * 1):match "z")
  print((Cg(C "a", "x") * Cb "x" * Cg(C "b", "x") * Cb "x"):match "ab", (Cg(C(1) * C(1), "y") * 1 * Cb "y"):match "abc")
  print((pcall(lpeg.match, Cb "x", "")))

  -- Functions that decide during the match.
  print(Cmt("ab", function(subject, position, ...) return true, position, ... end):match "abc")
  print(Cmt(C(1) * C(1), function(_, position, first, second) return position + 1, second, first end):match "abcd")
  print(Cmt(1, function() return false end):match "a", Cmt(1, function() end):match "a", (Cmt(1, function() return nil, 5 end) + C(1)):match "a")
  local seen = {}
  local function note(_, position, text)
    seen[#seen + 1] = text .. position
    return true, #seen
  end
  print((Cmt(C(1), note) * "x" + Cmt(C(1), note) * "b"):match "ab", table.concat(seen, " "))
  print(list(Ct((Cmt(C(R "az"), function(_, p, c) return c ~= "c", c:upper(), p end) + C(1)) ^ 0):match "abcd"))
  print(Cmt(Cmt(C(1), function(_, _, c) return true, c .. "1", c .. "2" end), function(_, _, ...) return true, select("#", ...), ... end):match "z")
  local long = P { "open", open = "[" * Cg(P"=" ^ 0, "init") * "[" * V "rest", rest = Cmt("]" * C(P"=" ^ 0) * "]" * Cb "init", function(_, _, a, b) return a == b end) / 0 + 1 * V "rest" }
  print(long:match "[==[]]====]]]]==]===[]", long:match "[[]=]====]=]]]==]===[]")
  -- A match in a match.
  local inner = Ct(C(R "az") ^ 1)
  print(Cmt(C(R "az" ^ 1), function(_, _, word) return true, #inner:match(word), Cmt(C(1), function(_, p) return p end):match(word) end):match "hello1")
  print(lpeg.match(Cmt(P(3), function(_, _, text) return true, lpeg.match(C(1), text) end) * C(1), "abcd"))
  skynet.abort()
end)
