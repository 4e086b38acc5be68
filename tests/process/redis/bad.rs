//! What goes wrong: the text names the server, the command and the cause, and nothing hangs.

use super::fake::{Fake, Step, say};
use super::server::free_port;
use super::{start, start_with};
use crate::support::Folder;

/// What `db:get 'a'` raises when the server does `step`, and what the next call gives.
fn raised(step: Step, config: &str) -> (String, String) {
    let fake = Fake::start(vec![vec![step]]);
    let folder = Folder::new();
    let body = "local db = redis.connect { host = '127.0.0.1', port = PORT }
         print('first ' .. call(db.get, db, 'a'))
         print('second ' .. call(db.get, db, 'b'))
         skynet.abort()";
    let mut node = start_with(&folder, fake.port, body, config);
    let first = node.expect("first ").replace(&format!("127.0.0.1:{}", fake.port), "AT");
    let second = node.expect("second ");
    assert_eq!(fake.command(), ["GET", "a"]);
    assert_eq!(fake.command(), ["GET", "b"], "nothing is sent twice");
    assert_eq!(node.code(), Some(0));
    (first, second)
}

fn fails(step: Step, expected: &str) {
    let (first, second) = raised(step, "");
    assert!(first.contains(expected), "{first}");
    // On the same connection, or on the next one.
    assert!(second.contains("\"OK\""), "{second}");
}

#[test]
fn errors_about_the_server_name_it_and_the_command() {
    for error in [
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "CLUSTERDOWN The cluster is down",
        "NOSCRIPT No matching script. Please use EVAL.",
    ] {
        fails(say(&format!("-{error}\r\n")), &format!("{error} (redis AT, GET)"));
    }
    fails(say("-ERR no such thing\r\n"), "ERR no such thing\"");
}

#[test]
fn a_server_that_goes_away_fails_the_call_and_the_next_connects_again() {
    fails(Step::Close, "redis AT: GET: connection lost (closed by the server)");
    fails(
        Step::SayAndClose(b"$100\r\nabc".to_vec()),
        "redis AT: GET: connection lost (closed by the server in the middle of a reply)",
    );
}

#[test]
fn what_is_no_reply_ends_the_connection() {
    fails(
        say("HTTP/1.1 400 Bad Request\r\n\r\n"),
        "redis AT: GET: connection lost (protocol error: \\\"HTTP/1.1 400 Bad Request",
    );
    fails(say("%1\r\n+a\r\n+b\r\n"), "connection lost (protocol error: ");
    fails(
        say("$3\r\nabcdef\r\n"),
        "connection lost (protocol error: a string does not end where its length says)",
    );
    fails(say("*x\r\n"), "connection lost (protocol error: \\\"x\\\" is no number of RESP2)");
    let deep = "*1\r\n".repeat(200);
    fails(say(&deep), "connection lost (protocol error: arrays are nested deeper than 128)");
}

#[test]
fn a_reply_that_nothing_asked_for_ends_the_connection() {
    let (first, second) = raised(say("+first\r\n+second\r\n"), "");
    assert!(first.contains("\"first\""), "{first}");
    // Whether it came before the second command was sent or behind it, it is nobody's answer.
    assert!(second.contains("\"OK\"") || second.contains("\"second\""), "{second}");
}

#[test]
fn a_reply_that_is_too_long_is_refused_when_it_is_announced() {
    let (first, second) = raised(say("$536870912\r\nabc"), "redis_reply_limit = 8");
    let expected = "redis AT: GET: connection lost (a reply of 536870926 bytes or \
                    more, the limit is 8388608 (config: redis_reply_limit, sandbox.toml: memory))";
    assert!(first.contains(expected), "{first}");
    assert!(second.contains("\"OK\""), "{second}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let folder = Folder::new();
    let body = "print('refused ' .. call(redis.connect, { host = '127.0.0.1', port = PORT }))
         print('unknown ' .. call(redis.connect, { host = 'no..host' }))
         skynet.abort()";
    let port = free_port();
    let mut node = start(&folder, port, body);
    let refused = node.expect("refused ");
    let expected = format!("redis 127.0.0.1:{port}: cannot connect (Connection refused)");
    assert!(refused.contains(&expected), "{refused}");
    let unknown = node.expect("unknown ");
    assert!(unknown.contains("redis no..host:6379: cannot connect ("), "{unknown}");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_server_that_says_nothing_to_auth_is_given_up() {
    let fake = Fake::start(vec![vec![Step::Silence]]);
    let folder = Folder::new();
    let body = "print('silent ' .. call(redis.connect, {
           host = '127.0.0.1', port = PORT, auth = 'a', connect_timeout = 5 }))
         skynet.abort()";
    let mut node = start(&folder, fake.port, body);
    let silent = node.expect("silent ");
    assert!(silent.contains("the server did not let this side in within 50ms"), "{silent}");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn a_call_over_its_time_fails_and_its_reply_reaches_nobody_else() {
    // The reply to the first command comes with that to the second.
    let late = say("+late\r\n+right\r\n");
    let fake = Fake::start(vec![vec![Step::Silence, late]]);
    let folder = Folder::new();
    let body = "local db = redis.connect {
           host = '127.0.0.1', port = PORT, command_timeout = 200 }
         print('first ' .. call(db.get, db, 'a'))
         print('second ' .. call(db.get, db, 'b'))
         skynet.abort()";
    let mut node = start(&folder, fake.port, body);
    let first = node.expect("first ");
    assert!(first.contains("GET: no reply within 2s (command_timeout)"), "{first}");
    node.expect("second \"right\"");
    assert_eq!(node.code(), Some(0));
}
