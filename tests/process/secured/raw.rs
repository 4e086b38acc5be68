//! A caller made of bytes: what a listening node takes, and what it does not.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use node::cluster::secure::handshake::{Caller, Secret, Terms};
use node::codec::cluster::{
    Address, Greeting, Response, decode_greeting, decode_response, encode_single, split_frame,
};

use super::{SECRET, folders, server};

struct Raw {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
        Self { socket, read: Vec::new() }
    }

    /// The content of the next frame; nothing at the end.
    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((content, rest)) = split_frame(&self.read) {
                let (content, rest) = (content.to_vec(), rest.to_vec());
                self.read = rest;
                return Some(content);
            }
            let mut bytes = [0; 4096];
            let count = self.socket.read(&mut bytes).unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.read.extend_from_slice(&bytes[..count]);
        }
    }

    /// Everything a caller with the secret says up to its proof, which is returned.
    fn begin(&mut self) -> Vec<u8> {
        let terms = Terms { secret: Some(Secret::new(b"a secret of both nodes")), binding: None };
        let mut out = Vec::new();
        let mut caller = Caller::new(terms, [7; 32], b"raw", &mut out);
        self.socket.write_all(&out).unwrap();
        out.clear();
        assert_eq!(caller.take(&self.next().unwrap(), &mut out), Ok(false));
        out
    }
}

fn request() -> Vec<u8> {
    let mut out = Vec::new();
    // "raw", 5
    encode_single(&mut out, Address::Name(b"@echo"), 1, b"\x1craw\x0a\x05");
    out
}

#[test]
fn bytes_behind_the_handshake_are_the_first_frames() {
    let (there, _) = folders();
    let (mut server, port) = server(&there, SECRET);
    let mut raw = Raw::connect(port);
    let mut bytes = raw.begin();
    bytes.extend(request());
    let cut = bytes.len() - 3;
    raw.socket.write_all(&bytes[..cut]).unwrap();
    assert_eq!(decode_greeting(&raw.next().unwrap()), Ok(Greeting::Accepted));
    raw.socket.write_all(&bytes[cut..]).unwrap();
    server.expect("delivered raw");
    let answer = raw.next().unwrap();
    assert_eq!(decode_response(&answer), Ok(Response::Ok { session: 1, body: b"\x0a\x05" }));

    let mut raw = Raw::connect(port);
    let mut bytes = raw.begin();
    bytes.extend(request());
    raw.socket.write_all(&bytes).unwrap();
    assert_eq!(decode_greeting(&raw.next().unwrap()), Ok(Greeting::Accepted));
    let answer = raw.next().unwrap();
    assert_eq!(decode_response(&answer), Ok(Response::Ok { session: 1, body: b"\x0a\x05" }));
}

#[test]
fn what_a_refused_caller_sends_is_not_delivered() {
    let (there, _) = folders();
    let (mut server, port) = server(&there, SECRET);
    let mut good = Raw::connect(port);
    let proof = good.begin();

    // The proof of another connection, with a request behind it.
    let mut replayed = Raw::connect(port);
    replayed.begin();
    replayed.socket.write_all(&[&proof[..], &request()].concat()).unwrap();
    server.expect("refused, wrong secret: the peer's proof was not made with");
    assert_eq!(replayed.next().as_deref(), Some(&[0x14, 2, 1][..]));
    assert_eq!(replayed.next(), None);

    // A request without waiting for anything, behind a hello that is fine.
    let mut hasty = Raw::connect(port);
    let mut bytes = Vec::new();
    let terms = Terms { secret: Some(Secret::new(b"guessed")), binding: None };
    Caller::new(terms, [8; 32], b"hasty", &mut bytes);
    bytes.extend(request());
    hasty.socket.write_all(&bytes).unwrap();
    server.expect("refused, a plain peer: it sent a request (first byte 80)");

    let mut cut = Raw::connect(port);
    cut.begin();
    cut.socket.shutdown(Shutdown::Write).unwrap();
    server.expect("refused, closed by the peer, a proof was expected");

    let mut other = Raw::connect(port);
    other.socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    server.expect("refused, not the handshake of a secured link: \"GET / HTTP/1.1\\r\\n\"");
    assert_eq!(other.next(), None);

    // The one that was there before all of them goes on.
    good.socket.write_all(&[&proof[..], &request()].concat()).unwrap();
    assert_eq!(decode_greeting(&good.next().unwrap()), Ok(Greeting::Accepted));
    assert!(good.next().is_some());
    server.signal("TERM");
    server.wait();
    assert_eq!(server.rest().matches("delivered").count(), 1);
}
