//! What clients do to each other and to the store: waiting, watching, leaving, sending too much.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use node::store::{Clock, Config, Server};

use super::support::{Connection, DEADLINE, Embedded, Redis};

/// Waits until so many clients wait for elements.
fn until_waiting(control: &mut Connection, count: usize) {
    let line = format!("blocked_clients:{count}\r\n");
    let until = Instant::now() + DEADLINE;
    while !control.say("info clients").contains(&line) {
        assert!(Instant::now() < until, "{count} clients do not wait");
    }
}

#[test]
fn elements_go_to_those_who_have_waited_longest() {
    let store = Embedded::plain();
    let mut control = store.connect();
    let mut waiting: Vec<Connection> = Vec::new();
    for number in 1..=20 {
        let mut connection = store.connect();
        connection.send(&["blpop", "first", "queue", "0"]);
        waiting.push(connection);
        until_waiting(&mut control, number);
    }
    // Who leaves gives its place up.
    drop(waiting.remove(3));
    until_waiting(&mut control, 19);
    let items: Vec<String> = (0..19).map(|number| format!("item{number:02}")).collect();
    let push: Vec<&str> =
        ["rpush", "queue"].into_iter().chain(items.iter().map(String::as_str)).collect();
    assert_eq!(control.ask(&push), b":19\r\n");
    for (connection, item) in waiting.iter_mut().zip(&items) {
        let expected = format!("*2\r\n$5\r\nqueue\r\n$6\r\n{item}\r\n");
        assert_eq!(String::from_utf8(connection.reply()).unwrap(), expected);
    }
    assert_eq!(control.say("exists queue"), ":0\r\n");
}

#[test]
fn what_is_sent_while_waiting_runs_afterwards_and_in_order() {
    let store = Embedded::plain();
    let (mut one, mut other) = (store.connect(), store.connect());
    one.send_bytes(b"blpop queue 0\r\nset after 1\r\nget after\r\n");
    until_waiting(&mut other, 1);
    assert_eq!(other.say("get after"), "$-1\r\n");
    other.say("rpush queue x");
    assert_eq!(one.reply(), b"*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n");
    assert_eq!((one.reply(), one.reply()), (b"+OK\r\n".to_vec(), b"$1\r\n1\r\n".to_vec()));
}

#[test]
fn waiting_can_be_ended_by_others() {
    let store = Embedded::plain();
    let (mut one, mut other) = (store.connect(), store.connect());
    let id = one.say("client id");
    let id = id.trim_start_matches(':').trim();
    for (how, expected) in [
        ("", "*-1\r\n"),
        (" timeout", "*-1\r\n"),
        (" error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
    ] {
        one.send(&["blpop", "queue", "0"]);
        until_waiting(&mut other, 1);
        assert_eq!(other.say(&format!("client unblock {id}{how}")), ":1\r\n");
        assert_eq!(String::from_utf8(one.reply()).unwrap(), expected);
    }
    one.send(&["blpop", "queue", "0"]);
    until_waiting(&mut other, 1);
    assert_eq!(other.say(&format!("client kill id {id}")), ":1\r\n");
    assert_eq!(one.reply(), b"");
    until_waiting(&mut other, 0);
}

#[test]
fn of_those_who_count_with_watch_none_loses_a_step() {
    const CLIENTS: usize = 8;
    const STEPS: usize = 50;
    let store = Arc::new(Embedded::plain());
    let client = |store: Arc<Embedded>| {
        let mut connection = store.connect();
        let mut lost = 0;
        for _ in 0..STEPS {
            loop {
                connection.say("watch counter");
                let value = connection.say("get counter");
                let value = value.lines().nth(1).map_or(0, |text| text.parse::<usize>().unwrap());
                connection.say("multi");
                connection.say(&format!("set counter {}", value + 1));
                if connection.say("exec") == "*1\r\n+OK\r\n" {
                    break;
                }
                lost += 1;
            }
        }
        lost
    };
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || client(store))
        })
        .collect();
    let lost: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let expected = (CLIENTS * STEPS).to_string();
    let found = store.connect().say("get counter");
    assert_eq!(found.lines().nth(1), Some(&*expected), "{lost} attempts were refused");
}

#[test]
fn pipelined_requests_are_answered_in_order_also_when_nobody_reads_for_long() {
    const COUNT: usize = 200_000;
    let store = Embedded::plain();
    let mut connection = store.connect();
    let mut request = Vec::new();
    for number in 0..COUNT {
        request.extend_from_slice(format!("echo {number:020}\r\n").as_bytes());
    }
    // More than the buffers of the system take: the store keeps the replies.
    connection.send_bytes(&request);
    for number in 0..COUNT {
        assert_eq!(connection.reply(), format!("$20\r\n{number:020}\r\n").as_bytes());
    }
}

#[test]
fn a_subscriber_who_takes_nothing_is_cut_off() {
    let store = Embedded::plain();
    let (mut reader, mut sender) = (store.connect(), store.connect());
    reader.say("subscribe news");
    let message = "x".repeat(1 << 20);
    let mut sent = 0;
    while sender.ask(&["publish", "news", &message]) == b":1\r\n" {
        sent += 1;
        assert!(sent < 200, "32 MiB are the limit");
    }
    assert!(sent >= 32, "{sent} MiB");
    assert_eq!(sender.say("pubsub numsub news"), "*2\r\n$4\r\nnews\r\n:0\r\n");
}

#[test]
fn messages_reach_every_listener_in_order() {
    const LISTENERS: usize = 10;
    const MESSAGES: usize = 1000;
    let store = Embedded::plain();
    let mut listeners: Vec<Connection> = (0..LISTENERS).map(|_| store.connect()).collect();
    for listener in &mut listeners {
        listener.say("subscribe news");
    }
    let mut sender = store.connect();
    for number in 0..MESSAGES {
        sender.send(&["publish", "news", &number.to_string()]);
    }
    for _ in 0..MESSAGES {
        assert_eq!(sender.reply(), format!(":{LISTENERS}\r\n").as_bytes());
    }
    for listener in &mut listeners {
        for number in 0..MESSAGES {
            let text = number.to_string();
            let expected =
                format!("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n${}\r\n{text}\r\n", text.len());
            assert_eq!(String::from_utf8(listener.reply()).unwrap(), expected);
        }
    }
}

#[test]
fn without_the_password_nothing_runs() {
    let password = Some(b"secret".to_vec());
    let store = Embedded::start(Config { password, ..Config::default() }, Clock::System);
    let mut connection = store.connect();
    assert_eq!(connection.say("get a"), "-NOAUTH Authentication required.\r\n");
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    assert_eq!(connection.say("auth wrong"), wrong);
    assert_eq!(connection.say("auth other secret"), wrong);
    assert!(connection.say("hello 2").starts_with("-NOAUTH HELLO must be called"));
    assert_eq!(connection.say("multi"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(connection.say("auth secret"), "+OK\r\n");
    assert_eq!(connection.say("get a"), "$-1\r\n");
    assert_eq!(connection.say("reset"), "+RESET\r\n");
    assert_eq!(connection.say("get a"), "-NOAUTH Authentication required.\r\n");
    assert!(connection.say("hello 2 auth default secret").starts_with("*14\r\n"));
    let mut stranger = store.connect();
    stranger.send_bytes(b"*1000\r\n");
    let refused = b"-ERR Protocol error: unauthenticated multibulk length\r\n";
    assert_eq!(stranger.reply(), refused);
    assert_eq!(stranger.reply(), b"");
}

#[test]
fn who_speaks_another_language_is_told_and_left() {
    let store = Embedded::plain();
    for (sent, expected) in [
        ("*1\r\n!\r\n", "-ERR Protocol error: expected '$', got '!'\r\n"),
        ("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("get \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
    ] {
        let mut connection = store.connect();
        connection.send_bytes(format!("ping\r\n{sent}ping\r\n").as_bytes());
        assert_eq!(connection.reply(), b"+PONG\r\n");
        assert_eq!(String::from_utf8(connection.reply()).unwrap(), expected);
        assert_eq!(connection.reply(), b"", "{sent:?}");
    }
}

#[test]
fn there_are_no_more_clients_than_may_be() {
    let store = Embedded::start(Config { maxclients: 2, ..Config::default() }, Clock::System);
    let (mut one, mut other) = (store.connect(), store.connect());
    assert_eq!((one.say("ping"), other.say("ping")), ("+PONG\r\n".into(), "+PONG\r\n".into()));
    let mut third = store.connect();
    assert_eq!(third.reply(), b"-ERR max number of clients reached\r\n");
    drop(other);
    let until = Instant::now() + DEADLINE;
    while !one.say("info clients").contains("connected_clients:1\r\n") {
        assert!(Instant::now() < until, "the other one has not left");
    }
    assert_eq!(store.connect().say("ping"), "+PONG\r\n");
}

#[test]
fn replies_can_be_switched_off() {
    let store = Embedded::plain();
    let mut connection = store.connect();
    connection.send_bytes(b"client reply off\r\nset a 1\r\nget a\r\nclient reply on\r\n");
    assert_eq!(connection.reply(), b"+OK\r\n");
    connection.send_bytes(b"client reply skip\r\nset a 2\r\nget a\r\n");
    assert_eq!(connection.reply(), b"$1\r\n2\r\n");
}

#[test]
fn memory_is_counted_and_given_back() {
    let store = Embedded::plain();
    let mut connection = store.connect();
    let used = |connection: &mut Connection| {
        let info = connection.say("info memory");
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        line.trim().parse::<usize>().unwrap()
    };
    assert_eq!(used(&mut connection), 0);
    let big = "x".repeat(100_000);
    for command in ["set s", "rpush l", "sadd t", "hset h f", "zadd z 1", "append a"] {
        let before = used(&mut connection);
        connection.say(&format!("{command} {big}"));
        assert!(used(&mut connection) - before >= 100_000, "{command}");
    }
    connection.say("rename s s2");
    connection.say("copy l l2");
    connection.say("rpop l");
    connection.say("hdel h f");
    connection.say("srem t x");
    connection.say("expire z 0");
    connection.say("move a 3");
    connection.say("flushall");
    assert_eq!(used(&mut connection), 0);
}

#[test]
fn a_script_without_end_is_stopped_and_others_go_on() {
    let store = Embedded::start(Config { script_limit: 50, ..Config::default() }, Clock::System);
    let mut connection = store.connect();
    for script in ["while true do end", "while true do pcall(function() while true do end end) end"]
    {
        let reply = connection.ask(&["eval", script, "0"]);
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.contains("Script stopped after 50 ms (lua-time-limit)"), "{reply}");
    }
    let reply = connection.ask(&["eval", "return string.rep('x', 1e9)", "0"]);
    assert!(reply.starts_with(b"-ERR "), "{}", String::from_utf8_lossy(&reply));
    assert_eq!(connection.ask(&["eval", "return 1", "0"]), b":1\r\n");
}

#[test]
fn a_script_reaches_nothing_but_the_store() {
    let store = Embedded::plain();
    let mut connection = store.connect();
    for global in
        ["os", "io", "require", "package", "debug", "dofile", "collectgarbage", "coroutine"]
    {
        let reply = connection.ask(&["eval", &format!("return {global}"), "0"]);
        let text = format!("Script attempted to access nonexistent global variable '{global}'");
        assert!(String::from_utf8_lossy(&reply).contains(&text), "{global}");
    }
    for attempt in [
        "string.len = nil",
        "rawset(string, 'len', 1)",
        "rawset(_G, 'x', 1)",
        "getmetatable('').__index.len = 1",
        "setmetatable(string, {})",
        "table.insert(redis, 1)",
        "load('\\27Lua')()",
    ] {
        let reply = connection.ask(&["eval", attempt, "0"]);
        assert!(reply.starts_with(b"-ERR "), "{attempt}: {}", String::from_utf8_lossy(&reply));
    }
    assert_eq!(connection.ask(&["eval", "return ('abc'):len()", "0"]), b":3\r\n");
}

#[test]
fn random_choices_reach_everybody() {
    let store = Embedded::plain();
    let mut connection = store.connect();
    connection.say("sadd s a b c d");
    let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
    for _ in 0..2000 {
        *seen.entry(connection.ask(&["srandmember", "s"])).or_default() += 1;
    }
    // Each is expected 500 times; 300 is nine standard deviations away.
    assert!(seen.len() == 4 && seen.values().all(|count| *count > 300), "{seen:?}");
}

#[test]
fn keys_end_when_their_time_is_over_and_not_before() {
    let clock = Clock::manual(1_000_000);
    let store = Embedded::start(Config::default(), clock.clone());
    let mut connection = store.connect();
    connection.say("set a 1 px 1000");
    connection.say("rpush l x");
    connection.say("expire l 2");
    assert_eq!(connection.say("pttl a"), ":1000\r\n");
    clock.advance(Duration::from_millis(999));
    assert_eq!(connection.say("get a"), "$1\r\n1\r\n");
    assert_eq!(connection.say("pttl a"), ":1\r\n");
    clock.advance(Duration::from_millis(1));
    assert_eq!(connection.say("get a"), "$-1\r\n");
    assert_eq!(connection.say("ttl a"), ":-2\r\n");
    assert_eq!(connection.say("llen l"), ":1\r\n");
    clock.advance(Duration::from_millis(1000));
    assert_eq!(connection.say("rpushx l y"), ":0\r\n");
    connection.say("set w 1 px 500");
    connection.say("watch w");
    clock.advance(Duration::from_millis(500));
    connection.say("multi");
    connection.say("ping");
    assert_eq!(connection.say("exec"), "*-1\r\n");
    // Without anybody asking they go, too.
    connection.say("set b 1 px 100");
    clock.advance(Duration::from_millis(100));
    let until = Instant::now() + DEADLINE;
    while connection.say("dbsize") != ":0\r\n" {
        assert!(Instant::now() < until, "a key whose time is over is still there");
    }
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let store = Embedded::plain();
    let address = store.server.address();
    let config = Config { port: address.port(), ..Config::default() };
    let refused = Server::start(config, Clock::System, Arc::new(|_: &str| ())).err().unwrap();
    assert!(refused.starts_with(&format!("embedded redis at {address}: ")), "{refused}");
}
