//! Two nodes in one process, with clocks that stand still, and between them a cable that is cut,
//! held and healed by script.
//!
//! Invariant: no test depends on how long anything takes. Time is what `Node::advance` says.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod cable;
mod end;

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cable::Cable;
use end::{DEADLINE, End, Outcome, wait_until};
use node::cluster::Settings;
use node::codec::cluster::{Address, encode_begin, request_part_head};

/// A node that asks, the cable, and one that answers.
fn pair(settings: Settings) -> (End, Cable, End) {
    let (one, two) = (End::new(settings.clone()), End::new(settings));
    let cable = Cable::to(two.listen());
    one.target(cable.address());
    (one, cable, two)
}

/// A body that says its number; every tenth is so large that it goes in parts.
fn body(number: u32) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(if number.is_multiple_of(10) { 100_000 } else { 20 }, b'x');
    body
}

fn number_of(body: &[u8]) -> u32 {
    u32::from_le_bytes(*body.first_chunk().unwrap())
}

#[test]
fn through_cuts_and_delays_each_call_ends_once_and_nothing_arrives_twice_or_out_of_order() {
    for seed in 1..=4_u64 {
        let (mut one, cable, two) = pair(Settings::default());
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |most: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % most
        };
        let mut calls = HashMap::new();
        let mut number = 0;
        for _ in 0..60 {
            match random(6) {
                0 => cable.cut(),
                1 => cable.hold(),
                2 => cable.release(),
                _ => {}
            }
            for _ in 0..random(30) {
                number += 1;
                if random(3) == 0 {
                    one.push(&body(number));
                } else {
                    calls.insert(number, one.call(&body(number)));
                }
            }
            if random(4) == 0 {
                one.settle();
            }
        }
        cable.release();
        let mut answered = HashSet::new();
        for (number, session) in calls {
            match one.outcome(session) {
                Outcome::Answered(got) => {
                    assert!(got == body(number), "call {number} has the answer of another");
                    answered.insert(number);
                }
                Outcome::Failed | Outcome::Unreachable => {}
            }
        }
        assert!(one.has_no_outcome(), "seed {seed}");
        assert!(!answered.is_empty(), "seed {seed}");

        // One last call, after which nothing of before can arrive.
        let last = one.call(b"last");
        assert_eq!(one.outcome(last), Outcome::Answered(b"last".to_vec()));
        let mut seen = HashSet::new();
        let mut newest = HashMap::new();
        loop {
            let (agent, got) = two.seen.recv_timeout(DEADLINE).unwrap();
            if got == b"last" {
                break;
            }
            let number = number_of(&got);
            assert!(got == body(number), "a message is whole");
            assert!(seen.insert(number), "seed {seed}: {number} arrived twice");
            // An agent is a connection. What was still on an old one may come after the new one's.
            let before = newest.insert(agent, number);
            assert!(before < Some(number), "seed {seed}: {number} after {before:?}");
        }
        assert!(answered.is_subset(&seen), "seed {seed}: what was answered was done");
    }
}

#[test]
fn a_cut_fails_the_calls_on_their_way_at_once_and_the_next_call_connects_again() {
    let (mut one, cable, _two) = pair(Settings::default());
    for round in 1..=5_u32 {
        let first = one.call(&body(round));
        assert_eq!(one.outcome(first), Outcome::Answered(body(round)));

        cable.hold();
        let calls: Vec<i32> = (1..=100).map(|_| one.call(b"pending")).collect();
        one.settle();
        cable.cut();
        // The clocks stand still: nothing but the cut ends these.
        for session in calls {
            assert_eq!(one.outcome(session), Outcome::Failed);
        }
        cable.release();
        assert_eq!(one.count("100 calls failed"), round as usize);
        assert_eq!(cable.connections(), round as usize);
        assert_eq!(one.node.clock.elapsed(), Duration::ZERO);
    }
}

#[test]
fn many_who_call_at_once_share_one_connection() {
    let (mut one, cable, two) = pair(Settings::default());
    let calls: Vec<i32> = (0..2_000).map(|number| one.call(&body(number))).collect();
    for (number, session) in (0..).zip(calls) {
        assert_eq!(one.outcome(session), Outcome::Answered(body(number)));
    }
    assert_eq!(cable.connections(), 1);
    let seen: Vec<u32> = two.seen.try_iter().map(|(_, body)| number_of(&body)).collect();
    assert_eq!(seen, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn attempts_that_fail_are_spaced_more_and_more_by_the_clock() {
    let (mut one, cable, _two) = pair(Settings::default());
    cable.unplug();
    let fails = |one: &mut End| {
        let session = one.call(b"x");
        assert_eq!(one.outcome(session), Outcome::Unreachable);
    };
    // The second attempt comes at once, for a peer that was just restarted.
    fails(&mut one);
    fails(&mut one);
    for (attempt, pause) in [(3, 50), (4, 100), (5, 200), (6, 400), (7, 800), (8, 1000), (9, 1000)]
    {
        let calls: Vec<i32> = (0..10).map(|_| one.call(b"x")).collect();
        assert!(one.has_no_outcome(), "attempt {attempt} waits");
        one.node.advance(Duration::from_millis(pause - 10));
        assert!(one.has_no_outcome(), "attempt {attempt} waits {pause} ms");
        one.node.advance(Duration::from_millis(10));
        for session in calls {
            assert_eq!(one.outcome(session), Outcome::Unreachable);
        }
        wait_until("the attempt is logged", || one.count("failed: ") == attempt);
        assert_eq!(one.count(&format!("; attempt {attempt}")), 1);
    }
    cable.plug();
    let session = one.call(b"x");
    assert!(one.has_no_outcome());
    assert_eq!(cable.connections(), 0);
    one.node.advance(Duration::from_secs(1));
    assert_eq!(one.outcome(session), Outcome::Answered(b"x".to_vec()));

    // Once it has worked, the pauses begin anew.
    cable.unplug();
    wait_until("the loss is logged", || one.count("connection lost") == 1);
    one.settle();
    fails(&mut one);
    fails(&mut one);
    assert_eq!(one.count("; attempt 2"), 2);
}

#[test]
fn a_new_address_ends_the_pause() {
    let (mut one, cable, two) = pair(Settings::default());
    cable.unplug();
    for _ in 0..2 {
        let session = one.call(b"x");
        assert_eq!(one.outcome(session), Outcome::Unreachable);
    }
    let session = one.call(b"x");
    assert!(one.has_no_outcome());
    let other = Cable::to(two.listen());
    one.target(other.address());
    assert_eq!(one.outcome(session), Outcome::Answered(b"x".to_vec()));
    assert_eq!((cable.connections(), other.connections()), (0, 1));
}

#[test]
fn a_call_ends_at_its_deadline_and_a_late_answer_is_nobodys() {
    let limit = Duration::from_secs(3);
    let (mut one, cable, two) = pair(Settings { call_limit: Some(limit), ..Settings::default() });
    let session = one.call(b"connects");
    assert_eq!(one.outcome(session), Outcome::Answered(b"connects".to_vec()));

    cable.hold();
    let early = one.call(b"early");
    one.settle();
    one.node.advance(Duration::from_secs(1));
    let later = one.call(b"later");
    one.settle();
    one.node.advance(Duration::from_millis(1_990));
    assert!(one.has_no_outcome());
    one.node.advance(Duration::from_millis(10));
    assert_eq!(one.outcome(early), Outcome::Failed);
    assert!(one.has_no_outcome(), "the other has a second left");
    cable.release();
    assert_eq!(one.outcome(later), Outcome::Answered(b"later".to_vec()));
    assert!(one.has_no_outcome());
    assert_eq!(one.count("1 calls had no answer within 3s"), 1);
    assert_eq!(cable.connections(), 1);
    let seen: Vec<Vec<u8>> = two.seen.try_iter().map(|(_, body)| body).collect();
    assert_eq!(seen, [&b"connects"[..], b"early", b"later"]);

    // Calls that wait for a connection are no exception, and sends have no deadline.
    cable.unplug();
    wait_until("the loss is logged", || one.count("connection lost") == 1);
    one.settle();
    for _ in 0..7 {
        let session = one.call(b"x");
        one.settle();
        one.node.advance(Duration::from_secs(1));
        assert_eq!(one.outcome(session), Outcome::Unreachable);
    }
}

#[test]
fn a_call_that_waits_for_an_address_ends_at_its_deadline() {
    let limit = Duration::from_secs(3);
    let settings = Settings { call_limit: Some(limit), ..Settings::default() };
    let (mut one, two) = (End::new(settings.clone()), End::new(settings));
    one.push(b"a send waits on");
    let session = one.call(b"x");
    one.settle();
    one.node.advance(Duration::from_secs(2));
    let second = one.call(b"y");
    assert!(one.has_no_outcome());
    one.node.advance(Duration::from_secs(1));
    assert_eq!(one.outcome(session), Outcome::Failed);
    assert!(one.has_no_outcome());
    one.target(two.listen());
    assert_eq!(one.outcome(second), Outcome::Answered(b"y".to_vec()));
    assert_eq!(two.seen.recv_timeout(DEADLINE).unwrap().1, b"a send waits on");
    assert_eq!(two.seen.recv_timeout(DEADLINE).unwrap().1, b"y");
}

#[test]
fn the_rest_of_a_message_that_never_comes_ends_the_connection() {
    let dead_after = Duration::from_secs(15);
    let two = End::new(Settings { dead_after, ..Settings::default() });
    let address = two.listen();
    let mut one = End::new(Settings::default());
    one.target(address);
    let session = one.call(b"x");
    assert_eq!(one.outcome(session), Outcome::Answered(b"x".to_vec()));

    let mut begun = Vec::new();
    encode_begin(&mut begun, Address::Name(b"@echo"), 1, 1 << 20, false);
    begun.extend_from_slice(&request_part_head(1, 100, false));
    for cut in [1, 2, 10, begun.len(), begun.len() - 1] {
        let lines = two.count("the rest of a message did not come within 15s");
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(&begun[..cut]).unwrap();
        socket.set_nonblocking(true).unwrap();
        wait_until("the connection is closed", || {
            two.node.advance(dead_after / 3);
            matches!(socket.read(&mut [0]), Ok(0))
        });
        wait_until("the reason is logged", || {
            two.count("the rest of a message did not come within 15s") == lines + 1
        });
    }
    // One that has nothing unfinished is not touched.
    let session = one.call(b"y");
    assert_eq!(one.outcome(session), Outcome::Answered(b"y".to_vec()));
    assert_eq!(one.count("connection lost"), 0);
}
