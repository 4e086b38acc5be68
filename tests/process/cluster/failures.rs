//! What goes wrong between nodes: what callers see, what the log says, and how often.

use std::net::TcpListener;

use node::codec::cluster::{Address, encode_single};

use super::peer::{Fake, Peer, Wire, text};
use super::{Subject, own_address};
use crate::support::wait_until;

/// What a caller sees when a call could not be sent.
const UNSENT: &str = "false\tdest address type (nil) must be a string or number.";

/// Lua that makes `count` calls at once and gives what became of them.
fn at_once(count: usize) -> String {
    format!(
        "local left, main, seen = {count}, coroutine.running(), {{}}
         for _ = 1, left do
           skynet.fork(function()
             local ok, why = pcall(cluster.call, 'other', '@x')
             why = tostring(why):gsub('^[%w_/.]+:%d+: ', '')
             seen[why] = (seen[why] or 0) + 1
             left = left - 1
             if left == 0 then skynet.wakeup(main) end
           end)
         end
         skynet.wait(main)
         local key, number = next(seen)
         return next(seen, key) or key, number"
    )
}

#[test]
fn calls_to_a_node_that_does_not_listen_fail_and_each_attempt_is_logged_once() {
    let address = own_address();
    let mut subject = Subject::start(&format!("other = '{address}'"), "");
    let unsent = UNSENT.split_once('\t').unwrap().1;
    assert_eq!(subject.run(&at_once(100)), format!("{unsent}\t100"));
    let line = format!("changenode [other] ({address}) failed: ");
    subject.logged(&format!("{line}Connection refused (os error 111); attempt 1"));
    // The first attempts may fail while calls are still being made; then pauses begin.
    let attempts = subject.lines(&line);
    assert!((1..=4).contains(&attempts), "{attempts} attempts for 100 calls");
    assert_eq!(subject.run("return pcall(cluster.call, 'other', '@x')"), UNSENT);
    assert_eq!(subject.run("return cluster.send('other', '@x')"), "");
    subject.logged(&format!("; attempt {}", attempts + 2));
    for attempt in 1..=attempts + 2 {
        assert_eq!(subject.lines(&format!("; attempt {attempt}")), 1);
    }

    // It comes up at that address: the next call finds it.
    let listener = TcpListener::bind(address).unwrap();
    let session = subject.begin("return cluster.call('other', '@x')");
    let (socket, _) = listener.accept().unwrap();
    let mut caller = super::peer::Caller { wire: Wire::new(socket) };
    let request = caller.next().unwrap();
    caller.answer(request.session, &text("up"));
    assert_eq!(subject.end(session), "up");
}

#[test]
fn a_lost_connection_fails_its_calls_at_once_and_the_next_call_connects_again() {
    let fake = Fake::new();
    let mut subject = Subject::start(&format!("other = '{}'", fake.address()), "");
    for round in 1..=3 {
        let session = subject.begin(&at_once(50));
        let mut caller = fake.accept();
        (0..50).for_each(|_| drop(caller.next().unwrap()));
        drop(caller);
        assert_eq!(subject.end(session), "call failed\t50");
        let line = format!(
            "cluster node [other] ({}): connection lost (closed by the peer); 50 calls failed",
            fake.address()
        );
        subject.logged(&line);
        assert_eq!(subject.lines("connection lost"), round);
    }
}

#[test]
fn what_failed_on_the_other_node_is_logged_and_the_caller_sees_that_the_call_failed() {
    let mut subject = Subject::start("", "");
    let mut peer = Peer::connect(subject.address);
    for (to, body, why) in [
        (Address::Name(b"@nobody"), text("x"), "Invalid name @nobody"),
        (Address::Name(b".nobody"), text("x"), "call to invalid address .nobody"),
        (Address::Handle(0x00ff_ffff), text("x"), "call to invalid address :00ffffff"),
        (Address::Name(b"@main"), text("fail"), "call failed"),
        (Address::Handle(0), text("nobody"), "name not found"),
        (Address::Handle(0), Vec::new(), "Invalid query"),
    ] {
        let session = peer.ask(to, &body);
        assert_eq!(peer.answer(session), Err(why.to_owned()));
    }
    subject.logged("on purpose");

    let fake = Fake::new();
    subject.run(&format!("cluster.reload {{ other = '{}' }}", fake.address()));
    let session = subject.begin("return pcall(cluster.call, 'other', '@x')");
    let mut caller = fake.accept();
    let request = caller.next().unwrap();
    caller.fail(request.session, "what went wrong there");
    assert_eq!(subject.end(session), "false\tcall failed");
    subject.logged("what went wrong there");
    assert_eq!(subject.lines("what went wrong there"), 1);
}

#[test]
fn mistakes_in_the_arguments_of_a_call_are_raised_where_it_is_made() {
    let mut subject = Subject::start("", "");
    for (arguments, why) in [
        ("'self'", "name is not a string, it's a no value"),
        ("'self', nil", "name is not a string, it's a nil"),
        ("'self', {}", "name is not a string, it's a table"),
        ("'self', ('x'):rep(256)", "name of 256 bytes (1 to 255 are possible)"),
        ("'self', ''", "name of 0 bytes (1 to 255 are possible)"),
        ("'self', -1", "-1 is no address"),
        ("'self', '@main', print", "Unsupport type function to serialize"),
        ("nil, '@main'", "name of a node expected, got nil"),
    ] {
        for verb in ["call", "send"] {
            let raised = subject.run(&format!("return pcall(cluster.{verb}, {arguments})"));
            assert!(raised.starts_with("false\t"), "{verb} {arguments}: {raised}");
            assert!(raised.contains(why), "{verb} {arguments}: {raised}");
        }
    }
    let longest = format!(".{}", "x".repeat(254));
    let call = format!("return pcall(cluster.call, 'self', '{longest}')");
    assert_eq!(subject.run(&call), "false\tcall failed");
}

#[test]
fn with_a_deadline_a_call_without_an_answer_fails_and_the_connection_stays() {
    let fake = Fake::new();
    let nodes = format!("other = '{}'", fake.address());
    let mut subject = Subject::start(&nodes, "cluster_timeout = 3");
    let session = subject.begin(&at_once(20));
    let mut caller = fake.accept();
    let asked: Vec<_> = (0..20).map(|_| caller.next().unwrap()).collect();
    assert_eq!(subject.end(session), "call failed\t20");
    subject.logged("calls had no answer within 3s (config: cluster_timeout)");

    // What comes too late is nobody's, and what comes in time is taken.
    asked.iter().for_each(|request| caller.answer(request.session, &text("late")));
    let session = subject.begin("return cluster.call('other', '@x')");
    let request = caller.next().unwrap();
    caller.answer(request.session, &text("in time"));
    assert_eq!(subject.end(session), "in time");

    // A call that waits for an address waits no longer.
    let code = "return pcall(cluster.call, 'unknown', '@x')";
    assert_eq!(subject.run(code), "false\tcall failed");
    subject.logged("cluster node [unknown]: 1 calls had no answer within 3s");
}

#[test]
fn with_an_allow_list_peers_call_only_what_is_on_it() {
    let mut subject = Subject::start("", "cluster_allow = '@main @db .login'");
    subject.folder.write(
        "echo.lua",
        "local skynet = require 'skynet'
         skynet.start(function()
           skynet.dispatch('lua', function(_, _, ...) skynet.retpack(...) end)
         end)",
    );
    let numbers = subject.run(
        "db, login, hidden = skynet.newservice 'echo', skynet.newservice 'echo', skynet.newservice 'echo'
         cluster.register('db', db)
         cluster.register('hidden', hidden)
         skynet.name('.login', login)
         skynet.name('.hidden', hidden)
         return db, hidden",
    );
    let numbers: Vec<u32> = numbers.split('\t').map(|text| text.parse().unwrap()).collect();
    let mut peer = Peer::connect(subject.address);
    let mut ask = |to| {
        let session = peer.ask(to, &text("x"));
        peer.answer(session)
    };
    for to in [Address::Name(b"@db"), Address::Name(b".login"), Address::Handle(numbers[0])] {
        assert_eq!(ask(to), Ok(text("x")), "{to:?}");
    }
    for name in ["@hidden", ".hidden", ".launcher", ".service", "db", ":00000001"] {
        let why = format!("`{name}` may not be called from outside (config: cluster_allow)");
        assert_eq!(ask(Address::Name(name.as_bytes())), Err(why));
    }
    for number in [numbers[1], 1, 2] {
        let why = format!(":{number:08x} may not be called from outside (config: cluster_allow)");
        assert_eq!(ask(Address::Handle(number)), Err(why));
    }
}

#[test]
fn an_opened_port_takes_as_many_connections_as_it_was_told() {
    let mut subject = Subject::start("", "");
    // One connection is the control of this test; two more may come.
    let opened =
        subject.run("cluster.reload { few = '127.0.0.1:0' } return cluster.open('few', 3)");
    let (_, port) = opened.split_once('\t').unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let body = [text("echo"), text("x")].concat();
    let mut one = Peer::connect(address);
    let mut two = Peer::connect(address);
    assert_eq!(one.call("@main", &body), Ok(text("x")));
    assert_eq!(two.call("@main", &body), Ok(text("x")));
    for _ in 0..3 {
        Wire::connect(address).expect_end();
    }
    subject.logged(&format!("cluster at {address}: 3 peers are connected, the limit; "));
    assert_eq!(subject.lines("peers are connected, the limit"), 1);

    // One leaves: there is room again, as soon as the node has seen it go.
    one.wire.socket.shutdown(std::net::Shutdown::Write).unwrap();
    one.wire.expect_end();
    let mut ask = Vec::new();
    encode_single(&mut ask, Address::Name(b"@main"), 1, &body);
    wait_until("there is room", || {
        let mut third = Wire::connect(address);
        third.send(&ask) && third.frame().is_some()
    });
    assert_eq!(two.call("@main", &body), Ok(text("x")));
}

#[test]
fn answers_to_a_peer_that_has_left_are_dropped() {
    let mut subject = Subject::start("", "");
    subject.run("function command.late() waiting = coroutine.running() skynet.wait() end");
    let mut peer = Peer::connect(subject.address);
    peer.ask(Address::Name(b"@main"), &text("late"));
    assert_eq!(subject.run("repeat skynet.yield() until waiting return 'asked'"), "asked");
    drop(peer);
    subject.run("skynet.wakeup(waiting)");
    assert_eq!(subject.run("return 'goes on'"), "goes on");
}
