//! Chapter 4: the opening handshake on a connection.

use std::time::Duration;

use node::websocket::connection::Opening;
use node::websocket::handshake::{client, server};
use node::websocket::{Event, How, Limits};

use crate::support::{REQUEST, Side};

#[test]
fn a_server_reports_what_was_asked_for() {
    let side = Side::unopened(Limits::DEFAULT);
    side.connection.feed(REQUEST.as_bytes());
    let Some(Event::Open { url, headers }) = side.next() else { panic!("not open") };
    assert_eq!(url, "/game");
    assert!(headers.contains(&("host".to_owned(), b"game.example".to_vec())));
}

#[test]
fn a_bad_request_gets_an_answer_of_http_and_the_connection_closes() {
    let side = Side::unopened(Limits::DEFAULT);
    side.connection.feed(REQUEST.replace("13", "8").as_bytes());
    let answer = String::from_utf8(side.take_written()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let end = side.end();
    assert_eq!((end.how, end.code), (How::Refused, Some(426)));
    side.deadlines.advance(Duration::from_secs(1));
    assert!(side.closed().is_some());
}

#[test]
fn a_request_that_does_not_come_or_drips_is_refused_in_time() {
    let side = Side::unopened(Limits { handshake: Duration::from_secs(2), ..Limits::DEFAULT });
    for byte in REQUEST.as_bytes()[..19].chunks(1) {
        side.connection.feed(byte);
        side.deadlines.advance(Duration::from_millis(100));
    }
    assert!(side.closed().is_none());
    side.deadlines.advance(Duration::from_millis(100));
    assert!(side.take_written().starts_with(b"HTTP/1.1 408 "));
    assert!(side.closed().is_some());
    let end = side.end();
    assert_eq!((end.how, end.reason.as_str()), (How::Refused, "no opening handshake within 2 s"));
}

#[test]
fn a_client_gives_up_a_server_that_does_not_answer_or_refuses() {
    let ask = || {
        let (request, asked) = client::request("h", "/", &[]).unwrap();
        Side::new(Limits::DEFAULT, Opening::Client(request, asked), false)
    };
    let silent = ask();
    silent.deadlines.advance(Limits::DEFAULT.handshake);
    assert_eq!(silent.end().how, How::Refused);
    let refusing = ask();
    refusing.connection.feed(&server::Refusal::new(403, "not you").response());
    let end = refusing.end();
    assert_eq!(end.reason, "websocket handshake error: code[403] info:not you");
    let leaving = ask();
    leaving.connection.feed(b"HTTP/1.1 500 Oops\r\n\r\nbody without a length");
    leaving.connection.ended("closed by the peer");
    assert_eq!(
        leaving.end().reason,
        "websocket handshake error: code[500] info:body without a length"
    );
}

#[test]
fn a_request_read_by_somebody_else_is_granted() {
    let (request, _) = server::read(REQUEST.as_bytes(), 0).unwrap().unwrap();
    let answer = server::grant(&request, &server::Offer::default()).unwrap();
    let opening = Opening::Granted { answer: answer.clone(), request };
    let side = Side::new(Limits::DEFAULT, opening, false);
    assert_eq!(side.take_written(), answer);
    assert!(matches!(side.next(), Some(Event::Open { .. })));
    assert!(side.connection.is_open());
}

#[test]
fn closing_before_the_handshake_is_done_ends_it() {
    let side = Side::unopened(Limits::DEFAULT);
    side.connection.close(Some(1000), "").unwrap();
    assert_eq!(side.end().how, How::Refused);
    assert_eq!(side.closed(), Some(Duration::ZERO));
}
