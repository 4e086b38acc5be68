--- http.url: what is in a request target.
---
--- Invariant: no input raises. A percent sign without two hexadecimal digits stands for itself.

local char, tonumber = string.char, tonumber

local url = {}

local function byte_of(digits)
  return char(tonumber(digits, 16))
end

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", byte_of))
end

--- Splits a target at its first question mark.
---@param target string
---@return string path decoded
---@return string query as it came, "" if there is none
function url.parse(target)
  local path, query = target:match("^([^?]*)%??(.*)$")
  return decode(path), query
end

--- The decoded pairs of a query or form. A name that came more than once has a list; what has no
--- equals sign is left out.
---@param query string
---@return table<string, string|string[]>
function url.parse_query(query)
  local pairs_found = {}
  for name, value in query:gmatch("([^&=]*)=([^&]*)") do
    name, value = decode(name), decode(value)
    local before = pairs_found[name]
    if before == nil then
      pairs_found[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      pairs_found[name] = { before, value }
    end
  end
  return pairs_found
end

return url
