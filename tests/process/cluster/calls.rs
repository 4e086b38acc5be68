//! Requests and answers: every size, order, whose answer is whose, trace tags.

use std::collections::HashSet;

use node::codec::cluster::{Address, LARGE_REQUEST, PART, encode_trace};

use super::Subject;
use super::peer::{Fake, Peer, string_of, text};

/// Bytes of `"echo"` and of the head of a long string, as packed.
const ECHO: usize = 5;
const LONG: usize = 5;

/// `cluster_limit` of these tests.
const LIMIT: usize = 200_000;

#[test]
fn requests_and_answers_arrive_whole_up_to_the_limit_and_fail_beyond_it() {
    let mut subject = Subject::start("", &format!("cluster_limit = {LIMIT}"));
    subject.run(
        "function echo(size)
           local sent = ('0123456789abcdef'):rep(size // 16 + 1):sub(1, size)
           local ok, got = pcall(cluster.call, 'self', '@main', 'echo', sent)
           return ok, ok and got == sent or got
         end",
    );
    let mut sizes = vec![0, 1, 31, 32, 65_535, 65_536, 70_000, LIMIT - ECHO - LONG];
    // Either side of where requests and answers begin to go in parts, whatever their heads.
    sizes.extend(LARGE_REQUEST - 20..LARGE_REQUEST + 5);
    sizes.extend(2 * PART - 20..2 * PART + 5);
    for size in sizes {
        assert_eq!(subject.run(&format!("return echo({size})")), "true\ttrue", "{size} bytes");
    }
    assert_eq!(
        subject.run(&format!("return echo({})", LIMIT - ECHO - LONG + 1)),
        "false\tcall failed"
    );
    subject.logged(&format!(
        "cluster node [self]: a request of {} bytes exceeds the limit of {LIMIT} (config: \
         cluster_limit)",
        LIMIT + 1
    ));

    let make = |size| {
        format!(
            "local ok, got = pcall(cluster.call, 'self', '@main', 'make', {size})
             return ok, ok and #got or got"
        )
    };
    let most = LIMIT - LONG;
    assert_eq!(subject.run(&make(most)), format!("true\t{most}"));
    assert_eq!(subject.run(&make(most + 1)), "false\tcall failed");
    subject.logged(&format!("an answer of {} bytes exceeds the limit", LIMIT + 1));
    assert_eq!(subject.run("return echo(10)"), "true\ttrue", "the connection goes on");
    assert_eq!(subject.lines("LAUNCH clusteragent"), 2, "one of this test, one of the node's own");
}

#[test]
fn the_largest_message_of_all_is_the_first_on_its_connection() {
    let mut subject = Subject::start("", "");
    let size = (64 << 20) - ECHO - LONG;
    let code = format!(
        "local sent = ('x'):rep({size})
         return cluster.call('self', '@main', 'echo', sent) == sent"
    );
    assert_eq!(subject.run(&code), "true");
}

#[test]
fn sends_and_calls_arrive_in_the_order_in_which_they_were_made() {
    let mut subject = Subject::start("", "");
    // Sizes on either side of where parts begin; every third is a call from a coroutine of its own.
    let wrong = subject.run(
        "local count, seen = 3000, {}
         function command.number(number)
           seen[#seen + 1] = number
           return number
         end
         local answered, main = 0, coroutine.running()
         for number = 1, count do
           local body = ('x'):rep(number % 7 == 0 and 40000 + number or number % 200)
           if number % 3 == 0 then
             skynet.fork(function()
               assert(cluster.call('self', '@main', 'number', number, body) == number)
               answered = answered + 1
               if answered == count // 3 then skynet.wakeup(main) end
             end)
             skynet.yield()
           else
             cluster.send('self', '@main', 'number', number, body)
           end
         end
         skynet.wait(main)
         cluster.call('self', '@main', 'echo')
         for index = 1, count do
           if seen[index] ~= index then return index, seen[index] end
         end
         return #seen - count",
    );
    assert_eq!(wrong, "0");
}

#[test]
fn answers_that_come_in_another_order_reach_those_who_asked() {
    let mut subject = Subject::start("", "");
    let wrong = subject.run(
        "function command.late(tag, size)
           skynet.sleep(tag % 5)
           return tag, ('x'):rep(size)
         end
         local left, main, wrong = 300, coroutine.running(), 0
         for tag = 1, left do
           skynet.fork(function()
             local size = tag % 10 == 0 and 70000 or tag
             local got, body = cluster.call('self', '@main', 'late', tag, size)
             if got ~= tag or #body ~= size then wrong = wrong + 1 end
             left = left - 1
             if left == 0 then skynet.wakeup(main) end
           end)
         end
         skynet.wait(main)
         return wrong",
    );
    assert_eq!(wrong, "0");
}

#[test]
fn answers_are_given_to_whoever_has_the_session_in_whatever_order_a_peer_sends_them() {
    let fake = Fake::new();
    let mut subject = Subject::start(&format!("other = '{}'", fake.address()), "");
    let calls: Vec<(String, u32)> = (0..50)
        .map(|number| {
            let tag = format!("tag {number}");
            let code = format!("return cluster.call('other', '.x', '{tag}')");
            (tag, subject.begin(&code))
        })
        .collect();
    let mut caller = fake.accept();
    let mut asked: Vec<_> = calls.iter().map(|_| caller.next().unwrap()).collect();
    let sessions: HashSet<u32> = asked.iter().map(|request| request.session).collect();
    assert_eq!(sessions.len(), calls.len(), "every call has a session of its own");
    // A session of nobody, and one answered twice.
    caller.answer(9_999, &text("nobody's"));
    asked.reverse();
    for request in &asked {
        caller.answer(request.session, &request.body);
        caller.answer(request.session, &text("again"));
    }
    for (tag, session) in calls {
        assert_eq!(subject.end(session), tag);
    }
    assert!(fake.is_quiet(), "one connection carries all");
}

#[test]
fn sends_say_that_nobody_waits_for_an_answer() {
    let fake = Fake::new();
    let mut subject = Subject::start(&format!("other = '{}'", fake.address()), "");
    subject.run(
        "cluster.send('other', '.x', 'small')
         cluster.send('other', 7, ('large'):rep(10000))",
    );
    let session = subject.begin("return cluster.call('other', '@x', 'call')");
    let mut caller = fake.accept();
    let [small, large, call] = [(); 3].map(|()| caller.next().unwrap());
    assert_eq!((small.to.as_str(), small.push, small.session), (".x", true, 0));
    assert_eq!((large.to.as_str(), large.push), ("7", true));
    assert_ne!(large.session, 0, "its parts need one");
    assert_eq!((call.to.as_str(), call.push), ("@x", false));
    // An answer to a send is nobody's.
    caller.answer(large.session, &text("unasked"));
    caller.answer(call.session, &text("asked"));
    assert_eq!(subject.end(session), "asked");
}

#[test]
fn a_traced_request_takes_its_tag_to_the_other_node() {
    let fake = Fake::new();
    let mut subject = Subject::start(&format!("other = '{}'", fake.address()), "");
    let session = subject.begin(
        "skynet.trace()
         tag = skynet.tracetag()
         cluster.call('other', '@x', 'small')
         return cluster.call('other', '@x', ('large'):rep(10000))",
    );
    let mut caller = fake.accept();
    let tags: Vec<String> = (0..2)
        .map(|_| {
            let request = caller.next().unwrap();
            caller.answer(request.session, &text("done"));
            let tag = request.tag.expect("a tag before the request");
            assert!(tag.contains(&format!("-other-{})", request.session)), "{tag}");
            tag
        })
        .collect();
    assert_eq!(subject.end(session), "done");
    let tag = subject.run("return tag");
    assert!(tags.iter().all(|sent| sent.starts_with('(') && sent.ends_with(&tag)), "{tags:?}");
    subject.logged(&format!("<TRACE {tag}>"));
}

#[test]
fn a_tag_from_another_node_is_traced_for_the_next_request_alone() {
    let mut subject = Subject::start("", "");
    let mut peer = Peer::connect(subject.address);
    let mut frame = Vec::new();
    encode_trace(&mut frame, b"(peer-self-1):01000001-7");
    assert!(peer.wire.send(&frame));
    let body = [text("run"), text("return skynet.tracetag()")].concat();
    for tag in ["(peer-self-1):01000001-7", "nil"] {
        let answer = peer.call("@main", &body).unwrap();
        assert_eq!(string_of(&answer).unwrap(), tag);
    }
    subject.logged("<TRACE (peer-self-1):01000001-7>");
}

#[test]
fn a_peer_may_name_a_service_by_number_by_local_name_and_by_registered_name() {
    let mut subject = Subject::start("", "");
    let number: u32 = subject.run("return skynet.self()").parse().unwrap();
    subject.run("require 'skynet.manager'.name('.local', skynet.self())");
    let mut peer = Peer::connect(subject.address);
    let body = [text("echo"), text("hello")].concat();
    for to in [Address::Handle(number), Address::Name(b".local"), Address::Name(b"@main")] {
        let session = peer.ask(to, &body);
        assert_eq!(peer.answer(session), Ok(text("hello")), "{to:?}");
    }
    let session = peer.ask(Address::Handle(0), &text("main"));
    let answer = peer.answer(session).unwrap();
    let mut expected = Vec::new();
    node::codec::seri::put_integer(&mut expected, number.into());
    assert_eq!(answer, expected);
}

#[test]
fn a_name_without_a_sign_is_a_global_one_and_may_appear_later() {
    let mut subject = Subject::start("", "");
    subject.run("skynet.name('EARLY', skynet.self())");
    let call = |name: &str| format!("return cluster.call('self', '{name}', 'echo', '{name}')");
    assert_eq!(subject.run(&call("EARLY")), "EARLY");
    let later = subject.begin(&call("LATER"));
    assert_eq!(subject.run(&call("EARLY")), "EARLY", "nobody waits behind it");
    subject.run("skynet.name('LATER', skynet.self())");
    assert_eq!(subject.end(later), "LATER");
}
