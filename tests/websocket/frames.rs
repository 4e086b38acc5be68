//! Chapters 5 and 8: frames, fragmentation, control frames, UTF-8.

use node::websocket::connection::SendError;
use node::websocket::{Event, Kind, Limits};

use crate::support::{Side, masked, plain};

fn server() -> Side {
    Side::open(Limits::DEFAULT)
}

fn text(text: &str) -> Event {
    Event::Message(Kind::Text, text.as_bytes().to_vec().into())
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Kind::Binary, bytes.to_vec().into())
}

#[test]
fn messages_keep_their_kind_and_bytes_at_every_length() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
        let payload = vec![b'x'; length];
        let side = server();
        side.connection.feed(&masked(0x82, &payload));
        side.connection.feed(&masked(0x81, &payload));
        let expected = Event::Message(Kind::Text, payload.clone().into());
        assert_eq!(side.events(), [binary(&payload), expected], "{length}");
    }
}

#[test]
fn what_is_sent_is_one_write_and_readable_by_the_other_side() {
    for length in [0, 125, 126, 65_535, 65_536, 200_000] {
        let payload = vec![b'y'; length];
        let (ours, theirs) = (server(), Side::client(Limits::DEFAULT.of_client()));
        let before = ours.fake.with(|carried| carried.writes);
        ours.connection.send(Kind::Text, &payload, None).unwrap();
        assert_eq!(ours.fake.with(|carried| carried.writes), before + 1);
        let frame = ours.take_written();
        assert_eq!(frame, plain(0x81, &payload), "a server does not mask");
        theirs.connection.feed(&frame);
        assert_eq!(theirs.events(), [Event::Message(Kind::Text, payload.clone().into())]);
        theirs.connection.send(Kind::Binary, &payload, None).unwrap();
        let frame = theirs.take_written();
        assert_eq!(frame[1] & 0x80, 0x80, "a client masks");
        ours.connection.feed(&frame);
        assert_eq!(ours.events(), [binary(&payload)]);
    }
}

#[test]
fn a_mask_of_the_script_is_used() {
    let client = Side::client(Limits::DEFAULT);
    client.connection.send(Kind::Binary, b"abcd", Some([1, 2, 3, 4])).unwrap();
    assert_eq!(
        client.take_written(),
        [0x82, 0x84, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3, b'd' ^ 4]
    );
}

#[test]
fn control_frames_between_the_parts_of_a_message_do_not_end_it() {
    let side = server();
    for frame in [
        masked(0x01, b"one "),
        masked(0x89, b"ping"),
        masked(0x00, b"two "),
        masked(0x8a, b"pong"),
        masked(0x00, b""),
        masked(0x80, b"three"),
    ] {
        side.connection.feed(&frame);
    }
    let expected = [
        Event::Ping(b"ping".to_vec().into()),
        Event::Pong(b"pong".to_vec().into()),
        text("one two three"),
    ];
    assert_eq!(side.events(), expected);
    assert_eq!(side.take_written(), plain(0x8a, b"ping"), "a pong has the payload of its ping");
}

#[test]
fn every_ping_is_answered_also_the_longest() {
    let side = server();
    let long = vec![7; 125];
    side.connection.feed(&[masked(0x89, b""), masked(0x89, &long), masked(0x89, b"c")].concat());
    assert_eq!(
        side.take_written(),
        [plain(0x8a, b""), plain(0x8a, &long), plain(0x8a, b"c")].concat()
    );
}

#[test]
fn reserved_bits_and_opcodes_are_a_breach() {
    for bit in [0x40, 0x20, 0x10] {
        server().expect_fault(&masked(0x81 | bit, b"x"), 1002);
        server().expect_fault(&masked(0x89 | bit, b"x"), 1002);
    }
    for opcode in (3..=7).chain(0xb..=0xf) {
        server().expect_fault(&masked(0x80 | opcode, b""), 1002);
    }
}

#[test]
fn a_control_frame_is_short_and_whole() {
    for opcode in [0x8, 0x9, 0xa] {
        server().expect_fault(&masked(opcode, b""), 1002);
        server().expect_fault(&masked(0x80 | opcode, &[0x20; 126]), 1002);
    }
}

#[test]
fn continuations_need_a_beginning_and_a_message_its_end() {
    server().expect_fault(&masked(0x80, b"x"), 1002);
    server().expect_fault(&masked(0x00, b"x"), 1002);
    for second in [0x81, 0x82, 0x01] {
        let bytes = [masked(0x01, b"a"), masked(second, b"b")].concat();
        server().expect_fault(&bytes, 1002);
    }
}

#[test]
fn a_client_masks_and_a_server_does_not() {
    server().expect_fault(&plain(0x81, b"x"), 1002);
    let lenient = Side::open(Limits { accept_unmasked: true, ..Limits::DEFAULT });
    lenient.connection.feed(&plain(0x81, b"x"));
    assert_eq!(lenient.events(), [text("x")]);
    let client = Side::client(Limits::DEFAULT);
    client.connection.feed(&masked(0x81, b"x"));
    assert_eq!(client.end().code, Some(1002));
}

#[test]
fn text_is_utf8_also_when_a_character_is_spread_over_parts() {
    let word = "κόσμε 永 😀";
    for cut in 0..=word.len() {
        let side = server();
        side.connection.feed(&masked(0x01, &word.as_bytes()[..cut]));
        side.connection.feed(&masked(0x80, &word.as_bytes()[cut..]));
        assert_eq!(side.events(), [text(word)], "{cut}");
    }
    for bad in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xe6\xb0"] {
        server().expect_fault(&masked(0x81, bad), 1007);
    }
    // A part that cannot become a character is refused before the message ends.
    server().expect_fault(&masked(0x01, b"\xf4\x90"), 1007);
    let cut_off = [masked(0x01, b"\xe6"), masked(0x80, b"\xb0")].concat();
    server().expect_fault(&cut_off, 1007);
    let side = server();
    side.connection.feed(&masked(0x82, b"\xff\x00"));
    assert_eq!(side.events(), [binary(b"\xff\x00")], "bytes are any bytes");
}

#[test]
fn a_frame_or_message_over_its_limit_ends_with_1009_before_it_is_held() {
    let limits = Limits { frame: 100, message: 150, ..Limits::DEFAULT };
    let side = Side::open(limits);
    side.connection.feed(&masked(0x82, &[1; 100]));
    assert_eq!(side.events().len(), 1);
    // The head alone is enough.
    side.expect_fault(&masked(0x82, &[1; 101])[..8], 1009);
    let parts = [masked(0x02, &[1; 100]), masked(0x80, &[1; 51])].concat();
    Side::open(limits).expect_fault(&parts, 1009);
    let huge = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    Side::open(limits).expect_fault(&huge, 1009);
}

#[test]
fn a_message_can_be_sent_in_parts_with_pings_between_but_no_other_message() {
    let side = server();
    let send = |kind, last, bytes: &[u8]| side.connection.send_part(kind, last, bytes, None);
    assert!(matches!(send(None, true, b"x"), Err(SendError::Illegal(_))));
    send(Some(Kind::Text), false, b"a").unwrap();
    side.connection.ping(b"p", false).unwrap();
    assert!(matches!(send(Some(Kind::Text), true, b"x"), Err(SendError::Illegal(_))));
    send(None, true, b"b").unwrap();
    send(Some(Kind::Binary), true, b"c").unwrap();
    let expected = [plain(0x01, b"a"), plain(0x89, b"p"), plain(0x80, b"b"), plain(0x82, b"c")];
    assert_eq!(side.take_written(), expected.concat());
    assert!(matches!(side.connection.ping(&[0; 126], false), Err(SendError::Illegal(_))));
}

#[test]
fn a_server_told_to_mask_masks_everything() {
    use node::websocket::connection::Opening;
    use node::websocket::handshake::server::{self, Offer};
    let side = Side::new(Limits::DEFAULT, Opening::Server(Offer::default()), true);
    let (request, _) = server::read(crate::support::REQUEST.as_bytes(), 0).unwrap().unwrap();
    assert_eq!(request.url, "/game");
    side.connection.feed(crate::support::REQUEST.as_bytes());
    side.take_written();
    side.connection.send(Kind::Text, b"hello", None).unwrap();
    side.connection.feed(&masked(0x89, b"ping"));
    side.connection.close(Some(1000), "bye").unwrap();
    let reader = server();
    reader.connection.feed(&side.take_written());
    let events = reader.events();
    assert_eq!(events[..2], [text("hello"), Event::Pong(b"ping".to_vec().into())]);
    assert!(matches!(&events[2], Event::Closed(closed) if closed.reason == "bye"));
}
