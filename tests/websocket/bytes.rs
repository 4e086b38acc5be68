//! Bytes cut anywhere, and bytes of any kind.

use node::websocket::{Event, Kind, Limits};
use proptest::prelude::*;

use crate::support::{REQUEST, Side, masked};

fn conversation() -> Vec<u8> {
    [
        REQUEST.as_bytes().to_vec(),
        masked(0x81, "héllo".as_bytes()),
        masked(0x02, &[9; 130]),
        masked(0x89, b"are you there"),
        masked(0x80, b"end"),
        masked(0x88, b"\x03\xe8bye"),
    ]
    .concat()
}

/// All events of a conversation in pieces; how it was written must not matter.
fn outcome(pieces: &[&[u8]]) -> (Vec<Event>, Vec<u8>) {
    let side = Side::unopened(Limits::DEFAULT);
    pieces.iter().for_each(|piece| side.connection.feed(piece));
    (side.events(), side.take_written())
}

#[test]
fn a_conversation_is_the_same_wherever_it_is_cut_and_byte_by_byte() {
    let all = conversation();
    let whole = outcome(&[&all]);
    assert_eq!(whole.0.len(), 5, "open, text, ping, binary, close: {:?}", whole.0);
    for cut in 0..all.len() {
        assert_eq!(outcome(&[&all[..cut], &all[cut..]]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert_eq!(outcome(&bytes), whole);
}

#[test]
fn a_frame_right_behind_the_handshake_is_taken_at_both_sides() {
    let side = Side::unopened(Limits::DEFAULT);
    side.connection.feed(&[REQUEST.as_bytes(), &masked(0x81, b"first")].concat());
    let events = side.events();
    assert!(matches!(events[0], Event::Open { .. }));
    assert_eq!(events[1], Event::Message(Kind::Text, b"first".to_vec().into()));
}

proptest! {
    #[test]
    fn any_bytes_behind_the_handshake_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        step in 1usize..40,
    ) {
        let side = Side::open(Limits { frame: 4096, message: 8192, ..Limits::DEFAULT });
        bytes.chunks(step).for_each(|piece| side.connection.feed(piece));
        side.connection.ended("gone");
        let events = side.events();
        let ends = events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        prop_assert_eq!(ends, 1);
        prop_assert!(matches!(events.last(), Some(Event::Closed(_))));
    }

    #[test]
    fn any_bytes_instead_of_a_handshake_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        step in 1usize..40,
    ) {
        let side = Side::unopened(Limits::DEFAULT);
        bytes.chunks(step).for_each(|piece| side.connection.feed(piece));
        let written = side.take_written();
        prop_assert!(written.is_empty() || written.starts_with(b"HTTP/1.1 "));
        side.connection.ended("gone");
        prop_assert_eq!(side.events().len(), 1);
    }

    #[test]
    fn messages_in_any_parts_and_pieces_arrive_as_they_were(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 1..6),
        part in 1usize..300,
        step in 1usize..200,
    ) {
        let side = Side::open(Limits::DEFAULT);
        let mut bytes = Vec::new();
        for message in &messages {
            let mut parts: Vec<&[u8]> = message.chunks(part).collect();
            if parts.is_empty() {
                parts.push(b"");
            }
            for (index, piece) in parts.iter().enumerate() {
                let last = if index + 1 == parts.len() { 0x80 } else { 0 };
                let opcode = if index == 0 { 0x2 } else { 0x0 };
                bytes.extend(masked(last | opcode, piece));
            }
        }
        bytes.chunks(step).for_each(|piece| side.connection.feed(piece));
        let expected: Vec<Event> = messages
            .into_iter()
            .map(|message| Event::Message(Kind::Binary, message.into()))
            .collect();
        prop_assert_eq!(side.events(), expected);
    }
}
