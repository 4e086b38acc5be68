//! Silence, slow readers, and who waits for what.

use std::time::Duration;

use node::kernel::{Handle, Session};
use node::websocket::connection::{Next, SendError};
use node::websocket::{Event, How, Kind, Limits};

use crate::support::{Side, masked, plain};

#[test]
fn a_silent_peer_is_pinged_and_given_up_when_it_stays_silent() {
    let limits = Limits { ping: Duration::from_secs(20), ..Limits::DEFAULT };
    let side = Side::open(limits);
    side.deadlines.advance(Duration::from_secs(15));
    side.connection.feed(&masked(0x81, b"x"));
    side.deadlines.advance(Duration::from_secs(15));
    assert_eq!(side.take_written(), b"", "traffic moves the deadline");
    side.deadlines.advance(Duration::from_secs(5));
    assert_eq!(side.take_written(), plain(0x89, b""));
    side.connection.feed(&masked(0x8a, b""));
    side.deadlines.advance(Duration::from_secs(20));
    assert_eq!(side.take_written(), plain(0x89, b""), "an answer begins the time anew");
    side.deadlines.advance(Duration::from_secs(20));
    let end = side.end();
    assert_eq!((end.how, end.reason.as_str()), (How::Lost, "no answer to a ping within 20 s"));
    assert_eq!(side.closed(), Some(Duration::ZERO));
}

#[test]
fn nobody_is_pinged_when_the_time_is_zero() {
    let side = Side::open(Limits { ping: Duration::ZERO, ..Limits::DEFAULT });
    side.deadlines.advance(Duration::from_secs(100_000));
    assert!(side.closed().is_none());
    assert_eq!(side.take_written(), b"");
}

#[test]
fn a_peer_that_takes_nothing_is_cut_off_at_the_limit_with_a_reason() {
    let side = Side::open(Limits { write: 1 << 20, ..Limits::DEFAULT });
    side.fake.with(|carried| carried.queued = 1 << 20);
    assert_eq!(side.connection.send(Kind::Binary, b"x", None), Ok(1 << 20));
    side.fake.with(|carried| carried.queued += 1);
    assert!(matches!(side.connection.send(Kind::Binary, b"x", None), Err(SendError::Slow(_))));
    assert_eq!(side.closed(), Some(Duration::ZERO));
    let end = side.end();
    assert_eq!(end.how, How::Lost);
    assert!(end.reason.contains("the limit is 1048576"), "{}", end.reason);
}

#[test]
fn a_single_large_message_may_wait_whole() {
    let side = Side::open(Limits { write: 1 << 20, ..Limits::DEFAULT });
    side.fake.with(|carried| carried.queued = 2 << 20);
    assert!(side.connection.send(Kind::Binary, &vec![0; 2 << 20], None).is_ok());
}

#[test]
fn a_peer_that_pings_without_reading_the_answers_is_cut_off() {
    let side = Side::open(Limits { write: 1 << 20, ..Limits::DEFAULT });
    side.fake.with(|carried| carried.queued = 2 << 20);
    side.connection.feed(&masked(0x89, b"x"));
    assert_eq!(side.closed(), Some(Duration::ZERO));
    assert_eq!(side.end().how, How::Lost);
}

#[test]
fn a_peer_is_held_up_while_nobody_takes_its_messages_and_not_pinged_meanwhile() {
    let side = Side::open(Limits::DEFAULT);
    let frame = masked(0x82, &[0; 50_000]);
    for _ in 0..3 {
        side.connection.feed(&frame);
    }
    assert!(side.fake.with(|carried| carried.paused));
    side.deadlines.advance(Duration::from_secs(3600));
    assert!(side.closed().is_none() && side.take_written().is_empty());
    assert!(side.next().is_some() && side.fake.with(|carried| carried.paused));
    assert!(side.next().is_some() && !side.fake.with(|carried| carried.paused));
}

#[test]
fn whoever_waits_is_woken_once_by_the_first_event() {
    let side = Side::open(Limits::DEFAULT);
    let service = Handle::new(8).unwrap();
    let ask = |session| side.connection.next(Some((service, Session(session))));
    assert_eq!(ask(5), Next::Wait);
    assert_eq!(ask(6), Next::Busy);
    side.connection.feed(&[masked(0x81, b"a"), masked(0x81, b"b")].concat());
    assert_eq!(side.fake.with(|carried| carried.woken.clone()), [5]);
    assert!(matches!(ask(7), Next::Event(Event::Message(Kind::Text, _))));
    assert!(matches!(ask(7), Next::Event(_)));
    assert_eq!(ask(8), Next::Wait);
    side.connection.forget_waiter(Session(8));
    assert_eq!(ask(9), Next::Wait);
    side.connection.ended("gone");
    assert_eq!(side.fake.with(|carried| carried.woken.clone()), [5, 9]);
    assert!(matches!(ask(10), Next::Event(Event::Closed(_))));
    assert_eq!(ask(11), Next::Over);
}
