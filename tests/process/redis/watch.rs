//! Messages of Redis.

use super::fake::{Fake, Step, say as reply};
use super::server::Server;
use super::{start, start_with_input};
use crate::support::{Folder, say, wait_until};

#[test]
fn messages_come_with_their_channel_and_pattern() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local db, watch = redis.connect(at), redis.watch(at)
         watch:subscribe('a', 'b')
         watch:psubscribe 'p*'
         local function publish(channel, text)
           repeat until db:publish(channel, text) == 1
         end
         publish('p1', 'three')
         publish('a', 'one')
         publish('b', '\\0\\r\\n')
         print('1 ' .. call(watch.message, watch))
         print('2 ' .. call(watch.message, watch))
         print('3 ' .. call(watch.message, watch))
         watch:unsubscribe 'a'
         watch:punsubscribe 'p*'
         repeat until db:publish('a', 'x') == 0
         repeat until db:publish('p1', 'x') == 0
         skynet.fork(function() publish('b', 'last') end)
         repeat local data = watch:message() until data == 'last'
         print 'last came'
         skynet.fork(function()
           skynet.yield()
           local close = watch.disconnect
           close(watch)
         end)
         print('closed ' .. call(watch.message, watch))
         print('wrong ' .. call(redis.watch, { host = '127.0.0.1', port = PORT, auth = 'x' }))
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    node.expect(r#"1 "three" "p1" "p*""#);
    node.expect(r#"2 "one" "a""#);
    node.expect(r#"3 "\0\13\"#);
    node.expect("last came");
    let closed = node.expect("closed ");
    assert!(closed.contains("the watch is closed"), "{closed}");
    let wrong = node.expect("wrong ");
    assert!(wrong.contains("cannot connect (AUTH: ERR"), "{wrong}");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_watch_connects_and_subscribes_again_by_itself() {
    let mut server = Server::with(&["--requirepass", "secret"]);
    let folder = Folder::new();
    let body = "local watch = redis.watch { host = '127.0.0.1', port = PORT, auth = 'secret' }
         watch:subscribe('a', 'gone')
         watch:psubscribe('p*')
         watch:unsubscribe 'gone'
         while true do
           print('got ' .. call(watch.message, watch))
         end";
    let mut node = start(&folder, server.port, body);
    for round in ["one", "two"] {
        for (channel, pattern) in [("a", ""), ("p1", r#" "p*""#)] {
            publish(&server, channel, round);
            node.expect(&format!("got \"{round}\" \"{channel}\"{pattern}"));
        }
        server.kill();
        node.expect("connection of a watch lost");
        server.restart();
        node.expect("connected again; channels and patterns subscribed: 2");
    }
    assert_eq!(node.count("raised"), 0);
}

/// Publishes until one has got it.
fn publish(server: &Server, channel: &str, text: &str) {
    wait_until("somebody is subscribed", || {
        server.command_as("secret", &["PUBLISH", channel, text]) == ":1"
    });
}

#[test]
fn a_slow_subscriber_holds_the_server_up_and_loses_nothing() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local db, watch = redis.connect(at), redis.watch(at)
         watch:subscribe 'a'
         repeat until db:publish('a', 'first') == 1
         local text = ('x'):rep(100000)
         for i = 1, 280 do db:publish('a', i .. text) end
         -- 28 MB were sent, as many as a server keeps for one client; what the node and the system hold
         -- of them is bounded.
         local held = db:client 'list':match 'sub=1[^\\n]* omem=(%d+)'
         print('held up ' .. tostring(tonumber(held) > 1000000))
         local data repeat data = watch:message() until data ~= 'first'
         for i = 1, 280 do
           assert(data == i .. text)
           if i < 280 then data = watch:message() end
         end
         print 'all came'
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    node.expect("held up true");
    node.expect("all came");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn what_the_server_refuses_is_raised_where_messages_are_taken() {
    let server = Server::with(&["--user", "bob", "on", ">b", "resetchannels", "&news", "+@all"]);
    let folder = Folder::new();
    let body = "local watch = redis.watch {
           host = '127.0.0.1', port = PORT, username = 'bob', auth = 'b' }
         watch:subscribe('other', 'news')
         print('refused ' .. call(watch.message, watch))
         local db = redis.connect { host = '127.0.0.1', port = PORT }
         repeat until db:publish('news', 'x') == 1
         print('news ' .. call(watch.message, watch))
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    let refused = node.expect("refused ");
    assert!(refused.contains("raised") && refused.contains("NOPERM"), "{refused}");
    assert!(refused.contains(&format!("(redis {}, SUBSCRIBE)", server.address())), "{refused}");
    node.expect(r#"news "x" "news""#);
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_watch_survives_garbage() {
    let message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";
    let fake = Fake::start(vec![
        vec![reply("HTTP/1.1 200 OK\r\n")],
        vec![Step::SayAndClose(b"*3\r\n$7\r\nmess".to_vec())],
        vec![reply(message)],
    ]);
    let folder = Folder::new();
    let body = "local watch = redis.watch { host = '127.0.0.1', port = PORT }
         watch:subscribe 'a'
         print('got ' .. call(watch.message, watch))
         skynet.abort()";
    let mut node = start(&folder, fake.port, body);
    node.expect("connection of a watch lost (protocol error: ");
    node.expect("connection of a watch lost (closed by the server in the middle of a reply)");
    node.expect(r#"got "hi" "a""#);
    for _ in 0..3 {
        assert_eq!(fake.command(), ["SUBSCRIBE", "a"]);
    }
    assert_eq!(node.code(), Some(0));
}

#[test]
fn several_coroutines_share_the_messages_of_a_watch() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         local watch = redis.watch(at)
         watch:subscribe 'a'
         local got = 0
         for _ = 1, 4 do
           skynet.fork(function()
             while true do
               if watch:message() ~= 'first' then got = got + 1 end
               if got == 1000 then print 'a thousand' skynet.abort() end
             end
           end)
         end
         local socket = require 'skynet.socket'
         local input = socket.stdin()
         print 'ready'
         socket.readline(input)
         local db = redis.connect(at)
         repeat until db:publish('a', 'first') == 1
         for i = 1, 1000 do db:publish('a', i) end";
    let (mut node, mut input) = start_with_input(&folder, server.port, body, "");
    node.expect("ready");
    say(&mut input, "go");
    node.expect("a thousand");
    assert_eq!(node.code(), Some(0));
}
