-- Data formats: what one service encodes and decodes in a second, one message at a time
local skynet = require "skynet"
local bench = require "bench"
local bson = require "bson"
local crypt = require "skynet.crypt"
local md5 = require "md5"
local sproto = require "sproto"

-- Runs `f` about as long for every case, and reports how often it ran.
local function measure(name, n, f)
  for _ = 1, n // 10 do
    f()
  end
  skynet.yield()
  collectgarbage()
  local t = bench.now()
  for _ = 1, n do
    f()
  end
  bench.rate("formats_" .. name, n, bench.now() - t, "ops/s")
end

local schema = [[
.package { type 0 : integer session 1 : integer }
.Item { id 0 : integer count 1 : integer name 2 : string rate 3 : integer(4) }
.Position { x 0 : integer(3) y 1 : integer(3) z 2 : integer(3) }
.Player {
  uid 0 : integer name 1 : string level 2 : integer vip 3 : boolean pos 4 : Position
  items 5 : *Item tags 6 : *string scores 7 : *integer bag 8 : *Item(id)
}
move 1 { request { pos 0 : Position time 1 : integer } response { ok 0 : boolean } }
update 2 { request { player 0 : Player } response { player 0 : Player } }
]]

local function player()
  local items, bag = {}, {}
  for i = 1, 20 do
    items[i] = { id = 100000 + i, count = i, name = "item-" .. i, rate = i / 8 }
    bag[i * 7] = { id = i * 7, count = i }
  end
  return {
    uid = 1234567890123, name = "a player of some name", level = 57, vip = true,
    pos = { x = 1.5, y = -2.25, z = 100.125 }, items = items, bag = bag,
    tags = { "alpha", "beta", "gamma", "delta" }, scores = { 1, 20, 300, 4000, 50000, 600000 },
  }
end

bench.main(function()
  local text, short = ("0123456789abcdef"):rep(64), "a short message of a login ."
  local key, other = "\1\2\3\4\5\6\7\8", "\8\7\6\5\4\3\2\1"
  local n = bench.param("bench_n", 200000)
  local base64, hex, des = crypt.base64encode(text), crypt.hexencode(text), crypt.desencode(key, text)
  local des_short = crypt.desencode(key, short)
  measure("base64encode_1k", n * 2, function() return crypt.base64encode(text) end)
  measure("base64decode_1k", n, function() return crypt.base64decode(base64) end)
  measure("hexencode_1k", n * 2, function() return crypt.hexencode(text) end)
  measure("hexdecode_1k", n, function() return crypt.hexdecode(hex) end)
  measure("desencode_1k", n // 10, function() return crypt.desencode(key, text) end)
  measure("desdecode_1k", n // 10, function() return crypt.desdecode(key, des) end)
  measure("desencode_28", n * 2, function() return crypt.desencode(key, short) end)
  measure("desdecode_28", n * 2, function() return crypt.desdecode(key, des_short) end)
  measure("xor_str_1k", n, function() return crypt.xor_str(text, key) end)
  measure("hashkey_28", n * 4, function() return crypt.hashkey(short) end)
  measure("hmac64", n * 2, function() return crypt.hmac64(key, other) end)
  measure("hmac64_md5", n * 2, function() return crypt.hmac64_md5(key, other) end)
  measure("hmac_hash_28", n * 2, function() return crypt.hmac_hash(key, short) end)
  measure("hmac_sha1_28", n, function() return crypt.hmac_sha1(key, short) end)
  measure("sha1_28", n * 2, function() return crypt.sha1(short) end)
  measure("sha1_1k", n // 2, function() return crypt.sha1(text) end)
  measure("dhexchange", n // 20, function() return crypt.dhexchange(key) end)
  measure("dhsecret", n // 20, function() return crypt.dhsecret(key, other) end)
  measure("randomkey", n, function() return crypt.randomkey() end)
  measure("md5_sum_28", n * 2, function() return md5.sum(short) end)
  measure("md5_sumhexa_28", n // 2, function() return md5.sumhexa(short) end)
  measure("md5_sumhexa_1k", n // 4, function() return md5.sumhexa(text) end)
  measure("md5_crypt_1k", n // 100, function() return md5.crypt(text, key, "seed") end)

  local sp = sproto.parse(schema)
  local value, small = player(), { pos = { x = 1.5, y = 2.5, z = -3 }, time = 1234567 }
  local item = value.items[3]
  local bytes, packed = sp:encode("Player", value), sp:pencode("Player", value)
  local small_bytes = sp:request_encode("move", small)
  local item_bytes = sp:encode("Item", item)
  measure("sproto_encode_item", n * 2, function() return sp:encode("Item", item) end)
  measure("sproto_decode_item", n * 2, function() return sp:decode("Item", item_bytes) end)
  measure("sproto_encode_move", n, function() return sp:request_encode("move", small) end)
  measure("sproto_decode_move", n, function() return sp:request_decode("move", small_bytes) end)
  measure("sproto_encode_player", n // 10, function() return sp:encode("Player", value) end)
  measure("sproto_decode_player", n // 10, function() return sp:decode("Player", bytes) end)
  measure("sproto_pencode_player", n // 10, function() return sp:pencode("Player", value) end)
  measure("sproto_pdecode_player", n // 10, function() return sp:pdecode("Player", packed) end)
  measure("sproto_pack_player", n // 4, function() return sproto.pack(bytes) end)
  measure("sproto_unpack_player", n // 4, function() return sproto.unpack(packed) end)
  local server, client = sp:host(), sp:host()
  local request = client:attach(sp)
  local session = 0
  measure("sproto_rpc_move", n // 4, function()
    session = session + 1
    local _, _, _, response = server:dispatch(request("move", small, session))
    return client:dispatch(response { ok = true })
  end)
  measure("sproto_parse", n // 1000, function() return sproto.parse(schema) end)

  value.bag = nil -- its keys are numbers
  local document, item_document = bson.encode(value), bson.encode(item)
  measure("bson_encode_item", n, function() return bson.encode(item) end)
  measure("bson_decode_item", n, function() return bson.decode(item_document) end)
  measure("bson_encode_player", n // 10, function() return bson.encode(value) end)
  measure("bson_decode_player", n // 10, function() return bson.decode(document) end)
  measure("bson_encode_order", n, function() return bson.encode_order("find", "players", "limit", 1) end)
  measure("bson_objectid", n, function() return bson.objectid() end)
end)
