//! The bridge: its demonstration between two processes, a peer that knows the plain protocol alone, and what
//! is said of what cannot be done.
//!
//! Not here: crashes (`tests/bridge_chaos`), orders of events (`tests/bridge_model`).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::redis::server::{Server, free_port};
use crate::redis::start;
use crate::support::Folder;

#[test]
fn a_players_gold_moves_to_the_fishing_game_and_back() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bridge/run.sh");
    let run = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_node"))
        .env("PORT", free_port().to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    for step in [
        "player 10001 has 5000 gold and 20 diamonds in the main game",
        "he enters with diamond 20, gold 5000, item.rod 1 (transfer d-",
        "he catches a fish for 250 gold and has diamond 20, gold 5250, item.rod 1",
        "he leaves with diamond 20, gold 5250, item.rod 1: moved (transfer f-",
        "in the main game he has 5250 gold and 20 diamonds",
        "open transfers: 0",
    ] {
        assert!(said.contains(step), "`{step}` is missing in:\n{said}");
    }
}

#[test]
fn a_peer_that_knows_the_plain_protocol_alone_is_understood() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local db, watch = redis.connect(at), redis.watch(at)
         watch:subscribe 'f_to_d'
         repeat until db:publish('f_to_d', 'up') == 1
         watch:message()
         local link = require('bridge').open { redis = at, own = 'f', peer = 'd', plain = true, sweep = 0 }
         local wallet = require('bridge.wallet').new(link)
         repeat until db:publish('d_to_f', 'x@uid=1') == 1
         local answers = 0
         skynet.fork(function()
           while true do
             local message = watch:message()
             local session = message:match 'session=(%d+)'
             local known = message:gsub('|id=[%w-]+', '|id=ID'):gsub('session=%d+', 'session=S')
             print('peer gets ' .. known)
             answers = answers + 1
             if answers == 1 then
               db:publish('d_to_f', 'rsp_mv_gold@uid=10001|session=' .. session .. '|gold=500')
             elseif answers == 3 then
               db:publish('d_to_f', 'rsp_mv_gold@uid=10001|session=' .. session .. '|result=ok')
             end
           end
         end)
         local entered = call(function() return (wallet:move_in(10001, { 'gold' })) end)
         -- The peer hears of it by itself, before or after.
         while answers < 2 do skynet.yield() end
         print('1 ' .. entered)
         print('2 ' .. call(function() return (wallet:move_out(10001, { gold = 200 })) end))
         print('3 ' .. call(function() return (wallet:move_out(10001, { gold = 100 })) end))
         local stored = table.concat(db:smembers 'f_10001', ' ')
         print('4 ' .. stored:gsub('|id=[%w-]+', '|id=ID'):gsub('session=%d+', 'session=S'))
         db:sadd('d_10001', 'req_mv_gold@gold=70|session=9', 'no member')
         print('5 ' .. call(function() local r = link:recover(10001) return #r, r[1].outcome, r[1].fields end))
         print('6 ' .. call(function() return #link:recover(10001), db:smembers 'd_10001' end))
         print('7 ' .. call(function() return wallet:balance(10001), #wallet:list() end))
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    node.expect("peer gets req_mv_gold@gold=0|session=S|uid=10001");
    node.expect("peer gets ack_mv_gold@result=ok|session=S|uid=10001");
    node.expect("1 {gold=500}");
    node.expect("peer gets req_mv_gold@gold=200|id=ID|session=S|uid=10001");
    node.expect("2 \"moved\"");
    node.expect("3 \"stored\"");
    node.expect("4 req_mv_gold@gold=100|id=ID|session=S");
    node.expect("5 1 \"moved\" {gold=\"70\"}");
    node.expect("6 0 {\"no member\"}");
    node.expect("7 {gold=270} 0");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn what_cannot_be_answered_says_why_and_what_must_arrive_waits() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local bridge, new = require 'bridge', require('bridge.wallet').new
         local db = redis.connect(at)
         local f = bridge.open { redis = at, own = 'f', peer = 'd', sweep = 0 }
         local gold = new(f)
         local function short(f, ...)
           print((call(f, ...):gsub('[fd]%-%w+%-%w+', 'ID')))
         end
         print('1 ' .. call(f.request, f, 1, 'req_x'))
         gold:change(1, { gold = 10 })
         short(gold.move_out, gold, 1, { gold = 4 })
         short(f.deliver, f, 1, 'req_mail', { text = 'hello' })
         local present, calls = false, 0
         local d = bridge.open { redis = at, own = 'd', peer = 'f', sweep = 0,
           present = function() return present, 'player is offline' end }
         local theirs = new(d)
         -- The fault itself: longer than the other side's timeout.
         d:handle('req_slow', function() skynet.sleep(100) end)
         d:handle('req_bad', function() error 'oops' end)
         d:handle('req_no', function() return nil, 'not now' end)
         d:handle('req_mail', function(uid, fields)
           calls = calls + 1
           if calls == 1 then error 'full' end
           return { text = fields.text .. ' ' .. uid }
         end)
         repeat until f:request(1, 'req_no') == nil and db:publish('f_to_d', '@') == 1
         print('2 ' .. call(f.request, f, 1, 'req_slow', nil, 0.3))
         print('3 ' .. call(f.request, f, 1, 'req_bad'))
         print('4 ' .. call(f.request, f, 1, 'req_no'))
         print('5 ' .. call(f.request, f, 1, 'req_unknown'))
         short(gold.move_out, gold, 1, { gold = 3 })
         present = true
         print('6 ' .. #d:recover(1) .. ' ' .. #d:recover(1) .. ' ' .. #d:recover(1))
         print('7 ' .. call(function() return theirs:balance(1), gold:balance(1), calls, #gold:list() end))
         short(f.deliver, f, 1, 'req_mail', { text = 'bye' })
         print('8 ' .. call(gold.move_out, gold, 1, { gold = 100 }))
         print('9 ' .. call(gold.change, gold, 1, { gold = -100 }))
         d:close()
         local _, id = gold:move_out(1, { gold = 2 })
         print('10 ' .. call(gold.cancel, gold, 1, id))
         print('11 ' .. call(function() return gold:balance(1), #gold:list(), db:exists 'f_1' end))
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    node.expect("1 nil \"bridge f-d: req_x for player 1: nobody listens on f_to_d\"");
    node.expect("\"stored\" \"ID\"");
    node.expect("\"stored\" \"nobody listens\" \"ID\"");
    node.expect("2 nil \"bridge f-d: req_slow for player 1: no answer within 0.3 s\"");
    node.expect("3 nil \"failed\"");
    node.expect("4 nil \"not now\"");
    node.expect("5 nil \"no handler of req_unknown\"");
    node.expect("\"stored\" \"ID\"");
    // The mail's handler fails once: it stays open and is called again.
    node.expect("6 3 1 0");
    node.expect("7 {gold=7} {gold=3} 2 0");
    node.expect("\"answered\" {text=\"bye 1\"} \"ID\"");
    node.expect("8 nil \"short gold=3\"");
    node.expect("9 nil \"short gold=3\"");
    node.expect("10 true");
    node.expect("11 {gold=3} 0 false");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_request_goes_out_when_its_answer_can_be_heard() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local db = require('skynet.db.redis').connect(at)
         -- May publish, and not yet listen.
         db:acl('setuser', 'f', 'on', '>word', '~*', '+@all', 'resetchannels', '&f_to_d')
         local bridge = require 'bridge'
         local d = bridge.open { redis = at, own = 'd', peer = 'f', sweep = 0 }
         d:handle('req_name', function() return { name = 'Li' } end)
         while #db:pubsub('channels', 'f_to_d') == 0 do skynet.yield() end
         local conf = { host = '127.0.0.1', port = PORT, username = 'f', auth = 'word' }
         local f = bridge.open { redis = conf, own = 'f', peer = 'd', timeout = 30, sweep = 0 }
         skynet.fork(function()
           local answer, why = f:request(1, 'req_name', {})
           print('name ' .. (answer and answer.name or why))
           skynet.abort()
         end)
         while not db:acl('log')[1] do skynet.yield() end
         print(select(2, f:request(1, 'req_name', {}, 0.1)))
         db:acl('setuser', 'f', '&d_to_f')";
    let mut node = start(&folder, server.port, body);
    node.expect("bridge f-d: req_name for player 1: Redis has not subscribed d_to_f within 0.1 s");
    node.expect("name Li");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_callback_that_keeps_failing_is_told_of_less_and_less() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local bridge, new = require 'bridge', require('bridge.wallet').new
         local f = bridge.open { redis = at, own = 'f', peer = 'd', sweep = 0 }
         local gold = new(f)
         gold:change(1, { gold = 10 })
         gold:move_out(1, { gold = 4 })
         local d = bridge.open { redis = at, own = 'd', peer = 'f', sweep = 0 }
         local full, got = true, 0
         new(d, {
           take = function() end,
           give = function(_, _, amounts)
             if full then error('full', 0) end
             got = got + amounts.gold
           end,
         })
         d:recover(1)
         for _ = 1, 4 do d:sweep() end
         full = false
         d:sweep()
         print('got ' .. got .. ', open ' .. #d:transfers())
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    assert_eq!(node.code(), Some(0));
    let said = node.rest();
    let told: Vec<_> = said.lines().filter_map(|line| line.split_once(": full; ")).collect();
    let told: Vec<_> = told.into_iter().map(|(_, rest)| rest).collect();
    let expected =
        ["it stays open", "it stays open, 2 times so far", "it stays open, 4 times so far"];
    assert_eq!(told, expected, "{said}");
    assert!(said.contains("got 4, open 0"), "{said}");
}
