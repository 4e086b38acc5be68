//! Chapter 7: the closing handshake from either side, codes and reasons.

use std::time::Duration;

use node::websocket::connection::SendError;
use node::websocket::{Closed, Event, How, Kind, Limits};

use crate::support::{Side, masked, plain};

fn closed(how: How, code: Option<u16>, reason: &str) -> Closed {
    Closed { how, code, reason: reason.to_owned() }
}

#[test]
fn a_peer_that_closes_first_is_answered_and_then_the_server_closes() {
    let side = Side::open(Limits::DEFAULT);
    side.connection.feed(&masked(0x88, b"\x0f\xa1game over"));
    assert_eq!(side.take_written(), plain(0x88, b"\x0f\xa1game over"));
    assert_eq!(side.end(), closed(How::Clean, Some(4001), "game over"));
    assert!(side.closed().is_some_and(|linger| !linger.is_zero()), "after what is queued");
    assert_eq!(side.connection.send(Kind::Text, b"x", None), Err(SendError::Closed));
    side.connection.ended("closed");
    assert_eq!(side.events(), [], "the end is reported once");
}

#[test]
fn an_empty_close_frame_has_no_code_and_an_empty_answer() {
    let side = Side::open(Limits::DEFAULT);
    side.connection.feed(&masked(0x88, b""));
    assert_eq!(side.take_written(), plain(0x88, b""));
    assert_eq!(side.end(), closed(How::Clean, None, ""));
}

#[test]
fn a_server_that_closes_first_waits_for_the_answer_and_takes_no_more_messages() {
    let side = Side::open(Limits::DEFAULT);
    side.connection.feed(&masked(0x81, b"not taken yet"));
    side.connection.close(Some(1000), "bye").unwrap();
    assert_eq!(side.take_written(), plain(0x88, b"\x03\xe8bye"));
    assert_eq!(side.connection.send(Kind::Text, b"x", None), Err(SendError::Closed));
    assert!(side.closed().is_none());
    side.connection.feed(&[masked(0x81, b"late"), masked(0x89, b"late")].concat());
    assert_eq!(side.take_written(), b"", "a ping behind our close frame is not answered");
    side.connection.close(Some(1001), "again").unwrap();
    side.connection.feed(&masked(0x88, b"\x03\xe8bye"));
    assert_eq!(side.take_written(), b"", "one close frame a side");
    assert_eq!(side.end(), closed(How::Clean, Some(1000), "bye"));
    assert!(side.closed().is_some());
}

#[test]
fn a_peer_that_never_answers_is_dropped_in_time() {
    let side = Side::open(Limits { close: Duration::from_secs(3), ..Limits::DEFAULT });
    side.connection.close(None, "").unwrap();
    side.deadlines.advance(Duration::from_millis(2_999));
    assert!(side.closed().is_none());
    side.deadlines.advance(Duration::from_millis(1));
    assert_eq!(side.closed(), Some(Duration::ZERO));
    let end = side.end();
    assert_eq!((end.how, end.code), (How::Lost, Some(1006)));
    assert_eq!(end.reason, "no answer to the close frame within 3 s");
}

#[test]
fn a_client_leaves_the_closing_of_the_connection_to_the_server_for_a_while() {
    let side = Side::client(Limits::DEFAULT);
    side.connection.feed(&plain(0x88, b"\x03\xe9"));
    assert_eq!(side.end(), closed(How::Clean, Some(1001), ""));
    assert!(side.closed().is_none());
    side.deadlines.advance(Limits::DEFAULT.close);
    assert!(side.closed().is_some());
}

#[test]
fn every_code_that_may_be_on_the_wire_is_taken_and_every_other_is_a_breach() {
    for code in (0..=5001).chain([65_535]) {
        let side = Side::open(Limits::DEFAULT);
        side.connection.feed(&masked(0x88, &u16::to_be_bytes(code)));
        let legal = matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999);
        let answer = if legal { code } else { 1002 };
        assert_eq!(side.take_written()[2..4], answer.to_be_bytes(), "{code}");
        assert_eq!(side.end().code, Some(answer), "{code}");
    }
}

#[test]
fn a_close_frame_of_one_byte_or_with_a_bad_reason_is_a_breach() {
    Side::open(Limits::DEFAULT).expect_fault(&masked(0x88, b"\x03"), 1002);
    Side::open(Limits::DEFAULT).expect_fault(&masked(0x88, b"\x03\xe8\xff"), 1007);
}

#[test]
fn no_illegal_code_leaves_and_a_long_reason_is_cut() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        let side = Side::open(Limits::DEFAULT);
        assert!(matches!(side.connection.close(Some(code), ""), Err(SendError::Illegal(_))));
        assert_eq!(side.take_written(), b"");
    }
    let side = Side::open(Limits::DEFAULT);
    side.connection.close(Some(1008), &"永".repeat(60)).unwrap();
    let frame = side.take_written();
    assert_eq!(frame.len(), 2 + 125);
    assert!(str::from_utf8(&frame[4..]).is_ok());
}

#[test]
fn a_connection_that_is_cut_is_lost() {
    let side = Side::open(Limits::DEFAULT);
    side.connection.feed(&masked(0x81, b"last words"));
    side.connection.ended("closed by the peer");
    let events = side.events();
    assert_eq!(events.len(), 2, "what had come is still taken");
    let reason = "closed by the peer, without a close frame".to_owned();
    assert_eq!(events[1], Event::Closed(Closed { how: How::Lost, code: Some(1006), reason }));
    assert!(!side.connection.is_open());
}
