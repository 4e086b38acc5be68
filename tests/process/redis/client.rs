//! What commands take and give, and how a server is reached.

use super::server::{Server, text};
use super::{check, start, start_with_input};
use crate::support::{Folder, say, wait_until};

#[test]
fn replies_are_the_values_that_skynet_makes_of_them() {
    let server = Server::start();
    check(
        server.port,
        "db = 0",
        &[
            ("db:ping()", r#""PONG""#),
            ("db:set('a', '1')", r#""OK""#),
            ("db:get('a')", r#""1""#),
            ("db:get('none')", "nil"),
            ("db:incr('a')", "2"),
            ("db:rpush('l', 'x', 'y')", "2"),
            ("db:lrange('l', 0, -1)", r#"{"x" "y"}"#),
            ("db:hmset('h', 'f', 1, 'g', 2)", r#""OK""#),
            ("db:hmget('h', 'f', 'none', 'g')", r#"{"1" nil "2"}"#),
            ("db:exists('a')", "true"),
            ("db:exists('none')", "false"),
            ("db:exists('none', 'a')", "false"),
            ("db:EXISTS('a', 'l')", "2"),
            ("db:sadd('s', 'm')", "1"),
            ("db:sismember('s', 'm')", "true"),
            ("db:sismember('s', 'n')", "false"),
            ("db:lrange('none', 0, -1)", "{}"),
            ("db:blpop('none', 0.01)", "nil"),
            (
                "db:eval('return {1, {2, false, {}}, redis.status_reply(\"S\")}', 0)",
                r#"{1 {2 nil {}} "S"}"#,
            ),
            (
                "db:lpush('a', 1)",
                r#"raised "WRONGTYPE Operation against a key holding the wrong kind of value""#,
            ),
            ("db:eval('return {1, redis.error_reply(\"MY err\")}', 0)", r#"raised "MY err""#),
            (
                "db:sismember('a', 'n')",
                r#"raised "WRONGTYPE Operation against a key holding the wrong kind of value""#,
            ),
        ],
    );
}

#[test]
fn arguments_are_texts_as_tostring_makes_them() {
    let server = Server::start();
    check(
        server.port,
        "",
        &[
            ("db:set('a', 12), db:get('a')", r#""OK" "12""#),
            ("db:set('a', -0.5), db:get('a')", r#""OK" "-0.5""#),
            ("db:set('a', 1e15), db:get('a')", r#""OK" "1e+15""#),
            ("db:set('a', 2.0), db:get('a')", r#""OK" "2.0""#),
            ("db:set('a', true), db:get('a')", r#""OK" "true""#),
            ("db:set(false, 1), db:get('false')", r#""OK" "1""#),
            (
                "db:set('a', setmetatable({}, {__tostring = function() return 'T' end})), db:get('a')",
                r#""OK" "T""#,
            ),
            (
                "db:set('a\\0\\r\\n', '\\0\\255\\r\\n') and db:get('a\\0\\r\\n') == '\\0\\255\\r\\n'",
                "true",
            ),
            ("db:set('', ''), db:get('')", r#""OK" """#),
            ("db:set { 'a', 1.5 }, db:mget { 'a', 'none', false }", r#""OK" {"1.5" nil "1"}"#),
            ("db:set(setmetatable({}, {__index = {'a', 'b'}})), db:get('a')", r#""OK" "b""#),
            ("db:set('a', nil)", r#"raised "ERR wrong number of arguments for 'set' command""#),
            ("db:set('a', nil, 'b')", r#"raised "redis: argument #2 of SET is nil""#),
            (
                "db:mget { 'a', nil, 'b' }",
                r#"raised "redis: element #2 of the list of MGET is nil""#,
            ),
            (
                "db.get('a')",
                "raised \"bad argument #1 to 'get' (a redis connection expected (db:command, not \
              db.command))\"",
            ),
        ],
    );
}

#[test]
fn a_pipeline_gives_its_last_value_or_all_of_them() {
    let server = Server::start();
    check(
        server.port,
        "",
        &[
            ("db:pipeline { {'set', 'p', 1}, {'get', 'p'}, {'incr', 'p'} }", "2"),
            (
                "db:pipeline({ {'set', 'p', 1.5}, {'lpush', 'p', 1}, {'mget', 'p', 'q'} }, {'first'})",
                "{\"first\" {ok=true out=\"OK\"} {ok=false out=\"WRONGTYPE Operation against a key \
              holding the wrong kind of value\"} {ok=true out={\"1.5\"}}}",
            ),
            (
                "db:pipeline { {'get', 'p'}, {'lpush', 'p', 1} }",
                r#"raised "WRONGTYPE Operation against a key holding the wrong kind of value""#,
            ),
            ("db:pipeline {}", r#"raised "pipeline is null""#),
            ("db:pipeline()", r#"raised "pipeline is null""#),
            ("db:pipeline { {} }", r#"raised "redis: command #1 of a pipeline is empty""#),
            (
                "db:pipeline { 'get' }",
                r#"raised "redis: command #1 of a pipeline is a string, no list""#,
            ),
            ("db:pipeline { {'multi'}, {'set', 'p', 3}, {'get', 'p'}, {'exec'} }", r#"{"OK" "3"}"#),
        ],
    );
}

#[test]
fn commands_that_would_shift_the_replies_are_refused() {
    let server = Server::start();
    let refused = |command: &str| {
        format!(
            "raised \"redis {}: {command}: not on a connection for commands, where every reply \
             answers one (messages: redis.watch)\"",
            server.address()
        )
    };
    check(
        server.port,
        "",
        &[
            ("db:subscribe('a')", &refused("SUBSCRIBE")),
            ("db:monitor()", &refused("MONITOR")),
            ("db:client('reply', 'off')", &refused("CLIENT")),
            ("db:hello(3)", &refused("HELLO")),
            ("db:pipeline { {'get', 'a'}, {'psubscribe', 'a'} }", &refused("psubscribe")),
            ("db:pipeline { {'get', 'a'}, {'hello', 3} }", &refused("hello")),
            ("db:client('getname')", "nil"),
            ("db:ping()", r#""PONG""#),
        ],
    );
}

#[test]
fn a_password_a_user_of_the_acl_and_a_database_are_shown_at_connect() {
    let server = Server::with(&[
        "--requirepass",
        "secret",
        "--user",
        "alice",
        "on",
        ">wonder",
        "~*",
        "&*",
        "+@all",
    ]);
    check(
        server.port,
        "auth = 'secret', db = 2",
        &[("db:client('info'):match(' db=2 ')", "\" db=2 \"")],
    );
    check(server.port, "auth = 'wonder', username = 'alice'", &[("db:acl('whoami')", "\"alice\"")]);
    check(server.port, "auth = {'alice', 'wonder'}", &[("db:acl('whoami')", "\"alice\"")]);
    let at = server.address();
    check(
        server.port,
        "auth = 'secret'",
        &[
            (
                "redis.connect('redis://alice:wonder@127.0.0.1:PORT/3'):client('info'):match('db=3')",
                "\"db=3\"",
            ),
            (
                "redis.connect { host = '127.0.0.1', port = PORT, auth = 'wrong' }",
                &format!(
                    "raised \"redis {at}: cannot connect (AUTH: WRONGPASS invalid username-password \
                       pair or user is disabled.)\""
                ),
            ),
            (
                "redis.connect { host = '127.0.0.1', port = PORT, auth = 'secret', db = 16 }",
                &format!(
                    "raised \"redis {at}: cannot connect (SELECT: ERR DB index is out of range)\""
                ),
            ),
            (
                "redis.connect({ host = '127.0.0.1', port = PORT }):get('a')",
                &format!("raised \"NOAUTH Authentication required. (redis {at}, GET)\""),
            ),
        ],
    );
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let server = Server::start();
    check(
        server.port,
        "",
        &[
            (
                "redis.connect {}",
                r#"raised "redis: one of host, unix, url, hosts and sentinels expected, got 0 of them""#,
            ),
            (
                "redis.connect { host = 'a', url = 'redis://b' }",
                r#"raised "redis: one of host, unix, url, hosts and sentinels expected, got 2 of them""#,
            ),
            ("redis.connect { host = 'a', port = 70000 }", r#"raised "redis: 70000 is no port""#),
            (
                "redis.connect { host = 'a', username = 'b' }",
                r#"raised "redis: username without auth""#,
            ),
            (
                "redis.connect { host = 'a', connect_timeout = 0 }",
                r#"raised "redis: connect_timeout is no time in centiseconds above 0""#,
            ),
            (
                "redis.connect { host = {} }",
                r#"raised "redis: host is a table (a string expected)""#,
            ),
            ("redis.connect 'http://:secret@a'", r#"raised "redis: url: redis url did not parse""#),
        ],
    );
}

#[test]
fn a_server_is_reached_through_tls_and_judged() {
    let (server, certificate) = Server::tls();
    let folder = Folder::new();
    let ca = text(&certificate.certificate);
    let body = format!(
        "local at = {{ host = '127.0.0.1', port = PORT }}
         at.tls = {{ ca = '{ca}' }}
         local db = redis.connect(at)
         print('trusted ' .. db:set('a', ('x'):rep(100000)) .. ' ' .. #db:get('a'))
         local watch = redis.watch(at)
         watch:subscribe 'news'
         skynet.fork(function() print('message ' .. watch:message()) end)
         repeat until db:publish('news', 'hello') == 1
         at.tls = true
         print('unknown ' .. call(redis.connect, at))
         at.tls = {{ ca = '{ca}', servername = 'other' }}
         print('other ' .. call(redis.connect, at))
         print('anybody ' .. redis.connect('rediss://127.0.0.1:PORT/#insecure'):ping())
         at.tls = nil
         at.connect_timeout = 20
         print('plain ' .. call(function() return redis.connect(at):ping() end))
         skynet.abort()"
    );
    let mut node = start(&folder, server.port, &body);
    node.expect("trusted OK 100000");
    node.see("message hello");
    let unknown = node.expect("unknown ");
    assert!(unknown.contains("raised") && unknown.contains("cannot connect"), "{unknown}");
    let other = node.expect("other ");
    assert!(other.contains("raised") && other.contains("cannot connect"), "{other}");
    node.expect("anybody PONG");
    let plain = node.expect("plain ");
    assert!(plain.contains("raised") && plain.contains("connection lost"), "{plain}");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_server_is_reached_through_a_socket_of_the_file_system() {
    let server = Server::with(&["--unixsocket", "{dir}/redis.sock"]);
    let path = server.folder.path("redis.sock");
    let folder = Folder::new();
    let body = format!(
        "local db = redis.connect {{ unix = '{path}', db = 1 }}
         print('set ' .. db:set('a', ('y'):rep(300000)) .. ' ' .. #db:get('a'))
         print('url ' .. #redis.connect('unix://{path}?db=1'):get('a'))
         print('none ' .. call(redis.connect, {{ unix = '{path}2' }}))
         skynet.abort()",
        path = text(&path)
    );
    let mut node = start(&folder, 0, &body);
    node.expect("set OK 300000");
    node.expect("url 300000");
    let none = node.expect("none ");
    let expected = format!("{}2: cannot connect (No such file or directory)", text(&path));
    assert!(none.contains(&expected), "{none}");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn the_sandbox_says_which_servers_a_service_may_use() {
    let server = Server::with(&["--unixsocket", "{dir}/redis.sock"]);
    let path = server.folder.path("redis.sock");
    let folder = Folder::new();
    folder.write("sandbox.toml", "[default]\nconnect = ['10.0.0.0/8']\nsockets = 2\n");
    let body = format!(
        "print('tcp ' .. call(redis.connect, {{ host = '127.0.0.1', port = PORT }}))
         print('unix ' .. call(redis.connect, {{ unix = '{}' }}))
         skynet.abort()",
        text(&path)
    );
    let mut node = start(&folder, server.port, &body);
    let tcp = node.expect("tcp ");
    let refusal = format!(
        "redis {at}: cannot connect (the sandbox refuses {at} (to allow it: connect in \
         sandbox.toml))",
        at = server.address()
    );
    assert!(tcp.contains(&refusal), "{tcp}");
    let unix = node.expect("unix ");
    assert!(unix.contains("sandbox: snlua main may not connect to"), "{unix}");
    assert_eq!(node.code(), Some(0));

    folder.write("sandbox.toml", "[default]\nsockets = 1\n");
    let body = "local db = redis.connect { host = '127.0.0.1', port = PORT }
         print('second ' .. call(redis.connect, { host = '127.0.0.1', port = PORT }))
         print('first ' .. db:ping())
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    let second = node.expect("second ");
    assert!(second.contains("too many sockets: the limit is 1"), "{second}");
    node.expect("first PONG");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_command_that_blocks_waits_as_long_as_it_has_to() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local db = redis.connect { host = '127.0.0.1', port = PORT }
         skynet.fork(function()
           print('popped ' .. db:blpop('queue', 0)[2])
           skynet.abort()
         end)";
    let mut node = start(&folder, server.port, body);
    wait_until("the command blocks", || {
        server.command(&["INFO", "clients"]).contains("blocked_clients:1")
    });
    assert_eq!(server.command(&["RPUSH", "queue", "it"]), ":1");
    node.expect("popped it");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn ending_a_connection_ends_the_calls_on_it() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local db = redis.connect { host = '127.0.0.1', port = PORT }
         local co = skynet.fork(function()
           print('waiting ' .. call(db.blpop, db, 'none', 0))
           print('then ' .. call(db.get, db, 'a'))
         end)
         skynet.yield()
         local get = db.get
         db:disconnect()
         print('after ' .. call(function() return db:get 'a' end))
         skynet.sleep(0)
         local other = redis.connect { host = '127.0.0.1', port = PORT }
         local killed = skynet.fork(function() other:blpop('none', 0.01) end)
         skynet.yield()
         skynet.killthread(killed)
         print('other ' .. other:ping())
         skynet.abort()";
    let mut node = start(&folder, server.port, body);
    let after = node.expect("after ");
    assert!(after.contains("attempt to call a nil value (method 'get')"), "{after}");
    let waiting = node.expect("waiting ");
    assert!(waiting.contains("BLPOP: the connection was closed"), "{waiting}");
    node.expect("other PONG");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_server_that_takes_nothing_is_told_of_and_bounds_what_waits() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local at = { host = '127.0.0.1', port = PORT }
         at.overload = function(on) print('overloaded ' .. tostring(on)) end
         local db = redis.connect(at)
         local value, refused, stored, last = ('x'):rep(1 << 20), 0, 0
         print 'ready'
         local input = require 'skynet.socket'.stdin()
         require 'skynet.socket'.readline(input)
         local left = 40
         for i = 1, left do
           skynet.fork(function()
             local ok, err = pcall(db.set, db, 'k' .. i, value)
             if ok then stored = stored + 1 else refused, last = refused + 1, err end
             left = left - 1
             if left == 0 then
               print('stored ' .. stored .. ' refused ' .. refused .. ' ' .. tostring(last))
               skynet.abort()
             end
           end)
         end
         skynet.yield()
         print 'sent'";
    let (mut node, mut input) =
        start_with_input(&folder, server.port, body, "socket_send_limit = 16");
    node.expect("ready");
    server.signal("STOP");
    say(&mut input, "go");
    node.see("sent");
    node.see("overloaded true");
    server.signal("CONT");
    let stored = node.expect("stored ");
    assert!(!stored.contains("refused 0"), "{stored}");
    assert!(stored.contains("bytes wait to be sent, the limit is 16777216"), "{stored}");
}

#[test]
fn what_a_turn_asks_for_goes_out_in_one_write() {
    let server = Server::start();
    let folder = Folder::new();
    let body = "local db = redis.connect { host = '127.0.0.1', port = PORT }
         local function reads()
           return tonumber(db:info 'stats':match 'total_reads_processed:(%d+)')
         end
         local before, left = reads(), 64
         for i = 1, 64 do
           skynet.fork(function()
             assert(db:echo(i) == tostring(i))
             left = left - 1
             if left == 0 then
               print('reads ' .. tostring(reads() - before < 5))
               skynet.abort()
             end
           end)
         end";
    let mut node = start(&folder, server.port, body);
    node.expect("reads true");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn the_modules_are_there_under_all_their_names() {
    let server = Server::start();
    check(
        server.port,
        "",
        &[
            ("require 'redis' == redis", "true"),
            ("require 'skynet.db.redis.crc16' '123456789'", "12739"),
        ],
    );
}
