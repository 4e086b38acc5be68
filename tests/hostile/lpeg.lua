-- Patterns that grow without end, or are asked about things that are no patterns.
-- sandbox: message_time = "20s"
-- expect: pattern too big
-- expect: 0 have escaped
local skynet = require "skynet"
local lpeg = require "lpeg"

skynet.start(function()
  local escaped = 0
  local function try(f, ...)
    local ok, why = pcall(f, ...)
    if ok then
      escaped = escaped + 1
    else
      skynet.error(why)
    end
  end

  -- Operators and methods on what is no pattern, or somebody else's userdata.
  local operators = getmetatable(lpeg.P(1))
  for name, operator in pairs(operators) do
    if type(operator) == "function" then
      try(operator, io.stdout, io.stdout)
      try(operator, setmetatable({}, operators), coroutine.create(print))
      try(operator)
    end
  end
  try(lpeg.match, io.stdout, "x")
  try(lpeg.match, lpeg.P(1), io.stdout)
  try(lpeg.match, lpeg.P(1), "x", "no number")

  local p = lpeg.P "ab" + "c"
  try(function()
    while true do
      p = p * p
    end
  end)
  try(lpeg.P, math.maxinteger)
  try(lpeg.P, math.mininteger)
  try(function() return p ^ math.maxinteger end)
  try(function() return p ^ math.mininteger end)

  -- Rules that call each other twice: the search for first bytes gives up.
  local rules = { "r1", r40 = lpeg.P "x" }
  for i = 1, 39 do
    local next = lpeg.V("r" .. i + 1)
    rules["r" .. i] = next * "a" + next * "b" + next
  end
  assert(lpeg.match("z" * lpeg.P(rules), "x") == nil)

  -- A function that asks for more of the same, errors in all places, and a stack as large as can be.
  lpeg.setmaxstack(20000000)
  local depth = 0
  local again
  again = lpeg.Cmt(1, function(subject)
    depth = depth + 1
    return depth > 150 and error "enough" or again:match(subject)
  end)
  try(lpeg.match, again, "x")
  -- It fits, or it is an error; both are well.
  local _, found = pcall(lpeg.match, lpeg.P { "a" * lpeg.V(1) * "b" + lpeg.P "" } * "c", ("a"):rep(300000))
  assert(type(found) ~= "number")
  try(lpeg.match, lpeg.Cs((lpeg.P(1) / function() error {} end) ^ 1), "abc")
  collectgarbage()

  skynet.error(("%d have escaped"):format(escaped))
end)
