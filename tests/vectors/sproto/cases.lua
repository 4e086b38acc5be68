-- Cases of sproto: bundles of schemas, structures, packed zeros, requests and responses.
local core = require "sproto.core"
local parser = require "sprotoparser"
local sproto = require "sproto"

local cases = {}

local function add(name, make)
  cases[#cases + 1] = { name, make }
end

local schemas = {
  empty = "",
  comment = "# nothing but this",
  one = ".Person { name 0 : string age 1 : integer }",
  kinds = [[
    # every kind that 1.3 knows
    .Sub { id 0 : integer text 1 : string }
    .All {
      i 0 : integer
      d 1 : integer(3)
      b 2 : boolean
      s 3 : string
      x 4 : binary
      t 5 : Sub
      ai 6 : *integer
      ad 7 : *integer(2)
      ab 8 : *boolean
      as 9 : *string
      ax 10 : *binary
      at 11 : *Sub
      m 12 : *Sub(id)
      n 13 : *Sub( text )
    }]],
  nested = [[
    .Address { .Phone { number 0 : string kind 1 : integer } phones 0 : *Phone main 5 : Address.Phone }
    .Book { .Inner { .Deep { v 3 : integer } d 0 : Deep } person 0 : *Address i 1 : Inner x 2 : Inner.Deep }
    .Self { left 0 : Self right 1 : *Self value 9 : integer }]],
  gaps = ".Gaps { a 1 : integer b 3 : string c 4 : boolean d 100 : *integer e 32766 : integer }",
  windows = ".A {\r\n  x 0 : integer # a comment\r\n}\r\n.B {}\r\n",
  tight = ".A{x 0:integer y 1:*string}.B{}",
  protocols = [[
    .package { type 0 : integer session 1 : integer ud 2 : integer }
    .Item { id 0 : integer count 1 : integer }
    login 1 { request { name 0 : string token 1 : binary } response { ok 0 : boolean items 1 : *Item } }
    ping 2 {}
    leave 3 { request { why 0 : string } }
    save 4 { response nil }
    check 5 { request { x 0 : integer } response nil }
    list 7 { response { items 0 : *Item(id) } }
    named 32766 { request Item response Item }
    both 9 {
      request { .In { v 0 : integer } i 0 : In }
      response { .Out { v 0 : integer } o 0 : *Out }
    }]],
}

local names = {}
for name in pairs(schemas) do
  names[#names + 1] = name
end
table.sort(names)
for _, name in ipairs(names) do
  add("bundle " .. name, function() return parser.parse(schemas[name]) end)
end

local function parsed(name)
  return sproto.parse(schemas[name])
end

local kinds, nested, gaps = parsed "kinds", parsed "nested", parsed "gaps"

local function structure(name, object, of, value)
  add("encode " .. name, function() return object:encode(of, value) end)
  add("pencode " .. name, function() return object:pencode(of, value) end)
  add("again " .. name, function() return object:encode(of, (object:decode(of, object:encode(of, value)))) end)
end

structure("nothing", kinds, "All", {})
for _, i in ipairs { 0, 1, -1, 13, 32765, 32766, 32767, 65535, 2147483647, 2147483648, -2147483648, -2147483649, math.maxinteger, math.mininteger } do
  structure("integer " .. i, kinds, "All", { i = i })
end
structure("integer of float", kinds, "All", { i = 3.0 })
structure("integer of text", kinds, "All", { i = "12" })
for _, d in ipairs { 0, 0.001, 1.0005, -2.5, 12.3456, 1e9, -1e12 } do
  structure("decimal " .. d, kinds, "All", { d = d })
end
structure("true", kinds, "All", { b = true })
structure("false", kinds, "All", { b = false })
for _, length in ipairs { 0, 1, 5, 8, 100, 3000 } do
  structure("text " .. length, kinds, "All", { s = ("abc\0\255"):rep(length):sub(1, length), x = ("\0"):rep(length) })
end
structure("number as text", kinds, "All", { s = 12 })
structure("inner", kinds, "All", { t = { id = 5, text = "inner" } })
structure("empty inner", kinds, "All", { t = {} })
structure("integers", kinds, "All", { ai = { 1, -2, 3, 70000 } })
structure("wide integers", kinds, "All", { ai = { 1, -2, 1 << 40, 3, -(1 << 40) } })
structure("first wide", kinds, "All", { ai = { 1 << 40, 3 } })
structure("decimals", kinds, "All", { ad = { 0.5, 1.25, -3, 1e10 } })
structure("booleans", kinds, "All", { ab = { true, false, true } })
structure("texts", kinds, "All", { as = { "a", "", "bcd" }, ax = { "\0\0", "" } })
structure("inners", kinds, "All", { at = { { id = 1 }, {}, { id = 2, text = "two" } } })
structure("by number", kinds, "All", { m = { [7] = { id = 7, text = "seven" } } })
structure("by text", kinds, "All", { n = { seven = { id = 7, text = "seven" } } })
structure("empty arrays", kinds, "All", { ai = {}, ab = {}, as = {}, at = {}, m = {} })
structure("holes", kinds, "All", { ai = { 1, nil, 3 } })
structure("everything", kinds, "All", {
  i = 1, d = 2.5, b = true, s = "text", x = "\0\1\2", t = { id = 9 }, ai = { 1, 2, 3 }, ad = { 1.5 },
  ab = { false }, as = { "x" }, ax = { "y" }, at = { { id = 1 } }, m = { [3] = { id = 3 } }, n = { k = { text = "k" } },
})
structure("gaps", gaps, "Gaps", { a = 1, b = "b", c = true, d = { 1 }, e = 70000 })
structure("gaps, the last", gaps, "Gaps", { e = 5 })
structure("gaps, the middle", gaps, "Gaps", { c = false, d = {} })
structure("book", nested, "Book", {
  person = { { phones = { { number = "1", kind = 1 }, { number = "22" } } }, { main = { kind = 3 } } },
  i = { d = { v = -7 } },
  x = { v = 1 << 33 },
})
structure("tree", nested, "Self", {
  value = 1,
  left = { value = 2, right = { { value = 3 }, { left = { value = 4 } } } },
  right = { {}, { value = 5 } },
})

local state = 99
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 16) % limit
end

for length = 0, 60 do
  local list = {}
  for at = 1, length do
    list[at] = string.char(random(3) == 0 and 0 or random(256))
  end
  local bytes = table.concat(list)
  add("pack " .. length, function() return core.pack(bytes) end)
  add("unpack " .. length, function() return core.unpack(core.pack(bytes)) end)
end
for _, length in ipairs { 8, 16, 2040, 2047, 2048, 2049, 2056, 4096, 4104, 6000 } do
  add("pack run " .. length, function() return core.pack(("\1"):rep(length)) end)
  add("pack nearly run " .. length, function() return core.pack(("\1\2\3\4\5\6\0\0"):rep(length // 8)) end)
  add("pack mixed run " .. length, function() return core.pack(("\1\2\3\4\5\6\7\8\0\2\3\4\5\6\7\8"):rep(length // 16) .. "\9") end)
end

local client = parsed "protocols"
local host = client:host()
local request = host:attach(client)
add("request", function() return request("login", { name = "alice", token = "\1\2" }, 1) end)
add("request with ud", function() return request("login", { name = "alice" }, 2, 77) end)
add("push", function() return request("leave", { why = "tired" }) end)
add("request without content", function() return request("ping", nil, 3) end)
add("push without content", function() return request "ping" end)
add("request of empty response", function() return request("check", { x = 3 }, 4) end)
add("request of a named type", function() return request("named", { id = 3 }, 5) end)
local function answer(name, args, session, result, ud)
  local other = client:host()
  local kind, _, _, response = other:dispatch(client:host():attach(client)(name, args, session))
  assert(kind == "REQUEST")
  return response(result, ud)
end
add("response", function() return answer("login", {}, 1, { ok = true, items = { { id = 1, count = 2 } } }) end)
add("response with ud", function() return answer("login", {}, 1, { ok = false }, 5) end)
add("empty response", function() return answer("check", {}, 1) end)
add("response of nothing", function() return answer("ping", nil, 9) end)
add("request_encode", function() return (client:request_encode("login", { name = "x" })) end)
add("response_encode", function() return client:response_encode("list", { items = { { id = 4 } } }) end)

local function refused(text)
  add("refuse " .. text:gsub("%s+", " "), function() return parser.parse(text, "FILE") end)
end
refused ".A { x 0 integer }"
refused ".A {\n x 0 : integer\n y 1 integer\n}\n.B {}"
refused ".A {\n # comment\n x 0 : integer\n"
refused "A {}"
refused "foo {}"
refused "foo 1 { requests { } }"
refused ".A { x 0 : integer } }"
refused ".A { x 0 : * integer }"
refused ".A.B { x 0 : integer }"
refused ".1A { }"
refused ".A { x 0 : integer x 1 : integer }"
refused ".A { x 0 : integer y 0 : integer }"
refused ".A { x 0 : B }"
refused ".A { .B { c 0 : C } }"
refused ".A { } .A { }"
refused ".A { .B { } .B { } }"
refused ".A { } a 1 { } a 2 { }"
refused ".A { } a 1 { } b 1 { }"
refused ".A { } a 1 { request B }"
refused ".A { } a 1 { response B }"
refused ".A { x 0 : string } .B { y 0 : *A(z) }"
refused ".A { x 0 : B } .B { } .C { y 0 : *A(x) }"
refused "\n\n\n.A {\n\r\n}\n!"

return cases
