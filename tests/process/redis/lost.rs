//! A server that ends under load, and comes again.

use super::script::Script;
use super::server::Server;
use super::start_with_input;
use crate::support::{Folder, say, wait_until};

/// 64 coroutines, each with a key of its own, write numbers that count up and read them back. A call
/// may fail; what one returns has to be an answer to it.
const LOAD: &str = r#"
  local db = redis.connect { host = '127.0.0.1', port = PORT, auth = 'secret', db = 3 }
  local left, returned, raised, wrong = 64, 0, 0, 0
  local function one(f, ...)
    local ok, value = pcall(f, db, ...)
    if ok then returned = returned + 1 return value end
    raised = raised + 1
    if not value:find('redis 127.0.0.1:PORT: [GS]ET: con') and
       not value:find('redis 127.0.0.1:PORT: [GS]ET: cannot connect') and
       not value:find('LOADING') then
      print('strange ' .. value)
    end
    -- Others of the machine get the processor while there is no server.
    skynet.sleep(1)
    return nil
  end
  local stop = false
  local lowest = 0
  local counts = {}
  for i = 1, 64 do
    counts[i] = 0
    skynet.fork(function()
      local n = 0
      while not stop do
        n = n + 1
        local sent = i .. ':' .. n
        local set = one(db.set, 'key' .. i, sent)
        if set and set ~= 'OK' then wrong = wrong + 1 end
        local got = one(db.get, 'key' .. i)
        if set and got and got ~= sent then wrong = wrong + 1 end
        if set and got then counts[i] = counts[i] + 1 end
      end
      left = left - 1
      if left == 0 then
        print(('ended returned %s raised %s wrong %d'):format(returned > 0, raised > 0, wrong))
        skynet.abort()
      end
    end)
  end
  local function wait_for_all(more)
    local before = table.move(counts, 1, 64, 1, {})
    repeat
      skynet.sleep(1)
      local all = true
      for i = 1, 64 do all = all and counts[i] >= before[i] + more end
    until all
  end
  local socket = require 'skynet.socket'
  local input = socket.stdin()
  print 'loading'
  while true do
    wait_for_all(20)
    print 'all go on'
    if socket.readline(input) == 'stop' then break end
  end
  stop = true
"#;

#[test]
fn each_call_returns_or_raises_while_the_server_is_killed_and_started_again() {
    let mut server = Server::with(&["--requirepass", "secret"]);
    let folder = Folder::new();
    let (mut node, mut input) = start_with_input(&folder, server.port, LOAD, "");
    for _ in 0..3 {
        node.expect("all go on");
        server.kill();
        node.expect("connection lost (");
        server.restart();
        say(&mut input, "on");
    }
    node.expect("all go on");
    say(&mut input, "stop");
    node.expect("ended returned true raised true wrong 0");
    assert_eq!(node.count("strange"), 0);
    assert_eq!(node.code(), Some(0));
}

#[test]
fn the_database_of_the_last_select_is_used_again() {
    let mut server = Server::with(&["--requirepass", "secret"]);
    let folder = Folder::new();
    let body =
        "local db = redis.connect { host = '127.0.0.1', port = PORT, auth = 'secret', db = 2 }
         db:select(5)
         call(db.select, db, 99)
         print('before ' .. db:client('info'):match(' db=%d+ '))
         local socket = require 'skynet.socket'
         print('lost ' .. call(db.blpop, db, 'none', 0))
         socket.readline(socket.stdin())
         print('after ' .. db:client('info'):match(' db=%d+ '))
         skynet.abort()";
    let (mut node, mut input) = start_with_input(&folder, server.port, body, "");
    node.expect("before  db=5 ");
    server.kill();
    let lost = node.expect("lost ");
    assert!(lost.contains("connection lost ("), "{lost}");
    server.restart();
    say(&mut input, "go");
    node.expect("after  db=5 ");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn calls_that_come_while_a_connection_comes_up_share_it() {
    let mut server = Server::start();
    let folder = Folder::new();
    let body = "local db = redis.connect { host = '127.0.0.1', port = PORT }
         print('lost ' .. call(db.blpop, db, 'none', 0))
         local socket = require 'skynet.socket'
         socket.readline(socket.stdin())
         local left = 100
         for i = 1, 100 do
           skynet.fork(function()
             assert(db:echo(i) == tostring(i))
             left = left - 1
             if left == 0 then
               print('shared ' .. db:info 'stats':match 'total_connections_received:%d+')
               skynet.abort()
             end
           end)
         end";
    let (mut node, mut input) = start_with_input(&folder, server.port, body, "");
    wait_until("the command blocks", || {
        server.command(&["INFO", "clients"]).contains("blocked_clients:1")
    });
    server.kill();
    node.expect("lost ");
    server.restart();
    say(&mut input, "go");
    node.expect("shared total_connections_received:1");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_select_of_a_transaction_or_a_pipeline_counts_once_it_was_carried_out() {
    let server = Server::start();
    let mut script = Script::start("");
    let connect =
        "db = require('skynet.db.redis').connect { host = '127.0.0.1', port = PORT, db = 2 }";
    script.get(&connect.replace("PORT", &server.port.to_string()));
    for (code, db) in [
        ("db:multi() db:select(5) db:get('a') db:exec()", 5),
        ("db:multi() db:select(6) db:discard()", 5),
        ("db:multi() db:select(6)", 5),
        ("db:multi() db:select(6) pcall(db.nonsense, db) pcall(db.exec, db)", 5),
        ("db:multi() db:get('a') db:select(7) db:select(99) pcall(db.exec, db)", 7),
        ("db:watch('a') db:multi() db:set('a', 1) db:select(8) db:exec()", 8),
        ("db:pipeline { { 'get', 'a' }, { 'SELECT', 9 }, { 'get', 'a' } }", 9),
        ("db:pipeline { { 'multi' }, { 'select', '10' }, { 'get', 'a' }, { 'exec' } }", 10),
        ("db:reset()", 0),
    ] {
        script.get(code);
        assert_eq!(server.command(&["CLIENT", "KILL", "TYPE", "normal"]), ":1");
        // It connects again, or is told that the connection is lost.
        let ping = script.run("return db:ping()");
        assert!(ping == "true\tPONG" || ping.contains("connection lost ("), "{code}: {ping}");
        let now = script.get("return db:client('info'):match ' db=(%d+)'");
        assert_eq!(now, db.to_string(), "{code}");
    }
}
