---@meta lpeg
-- LuaLS annotations of the native module `lpeg`: parsing expression grammars. Where a pattern is
-- wanted a string, a number, a boolean, a table of rules or a function will do.

---@class lpeg.pattern : userdata
---@operator add(any): lpeg.pattern
---@operator sub(any): lpeg.pattern
---@operator mul(any): lpeg.pattern
---@operator div(any): lpeg.pattern
---@operator pow(integer): lpeg.pattern
---@operator len: lpeg.pattern
---@operator unm: lpeg.pattern
---@field match fun(pattern: lpeg.pattern, subject: string, init?: integer, ...: any): any ...

---@class lpeg
local lpeg = {}

--- What the pattern matches stands right before the position.
---@param pattern any
---@return lpeg.pattern
function lpeg.B(pattern) end

--- Captures the text.
---@param pattern any
---@return lpeg.pattern
function lpeg.C(pattern) end

--- The n-th extra argument of the match.
---@param n integer
---@return lpeg.pattern
function lpeg.Carg(n) end

--- The values of the last group with this name.
---@param name any
---@return lpeg.pattern
function lpeg.Cb(name) end

--- These values.
---@param ... any
---@return lpeg.pattern
function lpeg.Cc(...) end

--- The captured values joined: `f(f(first, second), third)` and so on.
---@param pattern any
---@param f function
---@return lpeg.pattern
function lpeg.Cf(pattern, f) end

--- The captured values as one group, perhaps with a name.
---@param pattern any
---@param name? any
---@return lpeg.pattern
function lpeg.Cg(pattern, name) end

--- `f(subject, position, values…)` decides during the match: false, true or a new position, and
--- values of its own.
---@param pattern any
---@param f function
---@return lpeg.pattern
function lpeg.Cmt(pattern, f) end

--- Captures the position.
---@return lpeg.pattern
function lpeg.Cp() end

--- The text, with the captured values in place of what they captured.
---@param pattern any
---@return lpeg.pattern
function lpeg.Cs(pattern) end

--- A table of the captured values.
---@param pattern any
---@return lpeg.pattern
function lpeg.Ct(pattern) end

--- A pattern of a string, a number of characters, a boolean, rules or a function.
---@param value any
---@return lpeg.pattern
function lpeg.P(value) end

--- A character of the ranges, each two characters.
---@param ... string
---@return lpeg.pattern
function lpeg.R(...) end

--- A character of the string.
---@param characters string
---@return lpeg.pattern
function lpeg.S(characters) end

--- The rule with this name, in a grammar to come.
---@param name any
---@return lpeg.pattern
function lpeg.V(name) end

--- Puts patterns for the classes of characters (`alpha`, `digit` …) into a table.
---@param list? table
---@return table
function lpeg.locale(list) end

--- The captured values, or the position behind the match; nil if there is none.
---@param pattern any
---@param subject string
---@param init? integer
---@param ... any arguments for `Carg`
---@return any ...
function lpeg.match(pattern, subject, init, ...) end

--- Raises an error: it prints a program in an lpeg made for debugging.
---@param pattern any
function lpeg.pcode(pattern) end

--- Raises an error: it prints a tree in an lpeg made for debugging.
---@param pattern any
function lpeg.ptree(pattern) end

--- Sets how many entries the stack of a match may have; 400 otherwise.
---@param entries integer
function lpeg.setmaxstack(entries) end

--- `"pattern"` for a pattern.
---@param value any
---@return string?
function lpeg.type(value) end

--- A character of UTF-8 with a code point in the range.
---@param first integer
---@param last integer
---@return lpeg.pattern
function lpeg.utfR(first, last) end

--- Version of lpeg whose behaviour this is.
---@return string
function lpeg.version() end

return lpeg
