--- Compiles schemas of sproto. The compiler itself is native.
local compile = require("skynet.sproto").compile

---@class sprotoparser
local parser = {}

--- The bundle of a schema. Raises what is wrong with the text, with the line.
---@param text string
---@param name? string what errors call the text
---@return string bundle
function parser.parse(text, name)
  local bundle, reason = compile(text, name or "=text")
  if not bundle then
    error(reason, 2)
  end
  return bundle
end

--- Prints bytes as hexadecimal digits, sixteen a line.
---@param bytes string
function parser.dump(bytes)
  local line = {}
  for at = 1, #bytes do
    line[#line + 1] = ("%02X "):format(bytes:byte(at))
    if at % 16 == 0 then
      print(table.concat(line))
      line = {}
    elseif at % 8 == 0 then
      line[#line + 1] = "- "
    end
  end
  print(table.concat(line))
end

return parser
