-- since: 1.8
-- http.url splits and decodes targets and queries.
local skynet = require "skynet"
require "skynet.manager"
local url = require "http.url"

local function query(text)
  local found = {}
  for name, value in pairs(url.parse_query(text)) do
    found[#found + 1] = name .. "=" .. (type(value) == "table" and "{" .. table.concat(value, ",") .. "}" or value)
  end
  table.sort(found)
  print(text, table.concat(found, " "))
end

skynet.start(function()
  print(url.parse "/path")
  print(url.parse "/a%20b+c?x=%20&y=1?2")
  print(url.parse "")
  print(url.parse "?")
  print(url.parse "/%E8%B7%AF?%E8")
  query ""
  query "a=1"
  query "a=1&b=two+words&c=%26%3d%2B"
  query "a=&=b"
  query "a=1=2"
  query "a=1&a=2&b=3&a=4"
  query "a=1&b"
  print(url.parse_query("a=%E8%B7%AF").a)
  skynet.abort()
end)
