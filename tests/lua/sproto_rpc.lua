-- Requests and responses between a client and a server, as gates of games make them.
-- config: lua_path = lua_path .. ";./tests/lua/modules/?.lua"
local skynet = require "skynet"
require "skynet.manager"
local sproto = require "sproto"
local core = require "sproto.core"
local people = require "people"

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

--- Calls, and says the error without the place in the library.
local function failing(f, ...)
  local ok, why = pcall(f, ...)
  return ok, (tostring(why):gsub("^[^:]+:%d+: ", ""))
end

skynet.start(function()
  -- The server reads what clients ask (`client`), and asks itself (`server`).
  local server_proto, client_proto = sproto.parse(people.client), sproto.parse(people.server)
  local server = server_proto:host "package"
  local client = client_proto:host "package"
  local to_server = client:attach(server_proto)
  local to_client = server:attach(client_proto)

  local bytes = to_server("get", { what = "hello" }, 1)
  print(hex(bytes))
  local kind, name, args, response, ud = server:dispatch(bytes)
  print(kind, name, args.what, type(response), ud)
  bytes = response({ result = "world" }, "userdata")
  print(hex(bytes))
  local session, result
  kind, session, result, ud = client:dispatch(bytes)
  print(kind, session, result.result, ud)

  kind, name, args, response = server:dispatch(to_server "quit")
  print(kind, name, args, response)
  kind, name, args, response = server:dispatch(to_server("save", { items = { { id = 1 }, { id = 2 } } }, 2, "mark"))
  print(kind, name, #args.items, type(response))
  print(client:dispatch(response()))
  kind, name, args, response, ud = server:dispatch(to_server("ask", nil, 3, "mark"))
  print(kind, name, args, ud)
  kind, session, result, ud = client:dispatch(response { items = { { id = 7 }, { id = 9 } } })
  print(kind, session, result.items[7].id, result.items[9].id, ud)

  kind, name = client:dispatch(to_client "heartbeat")
  print(kind, name)
  kind, name, args, response = client:dispatch(to_client("say", { text = "hi" }, 99))
  print(kind, name, args.text)
  kind, session, result = server:dispatch(response { heard = true })
  print(kind, session, result.heard)

  -- A message in memory, as a gate passes it on.
  local message = skynet.pack "x"
  skynet.trash(message, 1)
  local packed = to_server("get", { what = "again" }, 4)
  skynet.register_protocol {
    name = "client", id = skynet.PTYPE_CLIENT,
    pack = function(text) return text end,
    unpack = function(pointer, size) return server:dispatch(pointer, size) end,
  }
  skynet.dispatch("client", function(_, _, got, named, given)
    print("message", got, named, given.what)
    print(failing(server.dispatch, server, to_server("get", {}, 5) .. "\255"))
    print(failing(client.dispatch, client, response { heard = true }))
    local lost = core.pack(core.encode(core.querytype(server_proto.__cobj, "package"), {}))
    print(failing(client.dispatch, client, lost))
    print(failing(to_server, "nothing", {}, 6))
    local unknown = core.pack(core.encode(core.querytype(server_proto.__cobj, "package"), { type = 77 }))
    print(failing(server.dispatch, server, unknown))
    print(failing(server_proto.host, server_proto, "nothing"))
    print(server_proto:request_encode("get", { what = "x" }) == server_proto:request_encode(2, { what = "x" }))
    print(select(2, server_proto:request_encode("quit", {})), server_proto:response_encode("quit", {}) == "")
    print(server_proto:request_decode("get", (server_proto:request_encode("get", { what = "y" }))).what)
    print(server_proto:response_decode("get", server_proto:response_encode("get", { result = "z" })).result)
    print(server_proto:request_decode("quit", ""))
    print(server_proto:default("get", "REQUEST").what, server_proto:default("get", "RESPONSE").result, server_proto:default("quit", "REQUEST"))
    print(failing(server_proto.default, server_proto, "get", "BOTH"))
    print(core.protocol(server_proto.__cobj, "get"), core.protocol(server_proto.__cobj, 2), (core.protocol(server_proto.__cobj, "save")))
    print(select("#", core.protocol(server_proto.__cobj, 99)), select("#", core.querytype(server_proto.__cobj, "x")))
    print(failing(core.protocol, server_proto.__cobj, {}))
    skynet.abort()
  end)
  skynet.send(skynet.self(), "client", packed)
end)
