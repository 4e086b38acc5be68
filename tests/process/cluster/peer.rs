//! The other end of a cluster connection, written here byte by byte: one that calls the node under
//! test (`Peer`), and one that is called by it (`Fake`).
//!
//! Every wait ends after `support::DEADLINE`.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;

use node::codec::cluster::{
    Address, LARGE_REQUEST, Request, Response, decode_request, decode_response, encode_begin,
    encode_error, encode_ok, encode_single, parts, request_part_head, split_frame,
};
use node::codec::seri;

use crate::support::DEADLINE;

/// A string as `skynet.pack` writes it.
pub(super) fn text(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(seri::put_string(&mut out, value.as_bytes()));
    out
}

/// The first value of packed ones, if it is a string.
pub(super) fn string_of(packed: &[u8]) -> Option<String> {
    match seri::Reader::new(packed).next_item() {
        Ok(seri::Item::String(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// Frames over a socket.
pub(super) struct Wire {
    pub(super) socket: TcpStream,
    bytes: Vec<u8>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, bytes: Vec::new() }
    }

    pub(super) fn connect(to: SocketAddr) -> Self {
        Self::new(TcpStream::connect(to).unwrap())
    }

    /// Sends bytes; false when the other end has closed.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// The content of the next frame; `None` when the other end closes instead.
    pub(super) fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((content, rest)) = split_frame(&self.bytes) {
                let (content, used) = (content.to_vec(), self.bytes.len() - rest.len());
                self.bytes.drain(..used);
                return Some(content);
            }
            let mut buffer = [0; 65_536];
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no frame: {error}"),
            }
        }
    }

    /// Waits until the other end has closed.
    pub(super) fn expect_end(&mut self) {
        while self.frame().is_some() {}
    }
}

/// One that calls the node.
pub(super) struct Peer {
    pub(super) wire: Wire,
    session: u32,
    answers: HashMap<u32, Result<Vec<u8>, String>>,
    large: HashMap<u32, Vec<u8>>,
}

impl Peer {
    pub(super) fn connect(to: SocketAddr) -> Self {
        let wire = Wire::connect(to);
        Self { wire, session: 0, answers: HashMap::new(), large: HashMap::new() }
    }

    /// Asks a service by name or number; gives the session.
    pub(super) fn ask(&mut self, to: Address<'_>, body: &[u8]) -> u32 {
        self.session += 1;
        let mut out = Vec::new();
        if body.len() < LARGE_REQUEST {
            encode_single(&mut out, to, self.session, body);
        } else {
            encode_begin(&mut out, to, self.session, u32::try_from(body.len()).unwrap(), false);
            for (part, last) in parts(body) {
                out.extend_from_slice(&request_part_head(self.session, part.len(), last));
                out.extend_from_slice(part);
            }
        }
        assert!(self.wire.send(&out), "the node has closed");
        self.session
    }

    /// Waits for an answer, and keeps those that come before it.
    pub(super) fn answer(&mut self, session: u32) -> Result<Vec<u8>, String> {
        loop {
            if let Some(answer) = self.answers.remove(&session) {
                return answer;
            }
            let content = self.wire.frame().expect("the node has closed");
            let (session, answer) = match decode_response(&content).unwrap() {
                Response::Ok { session, body } => (session, Ok(body.to_vec())),
                Response::Error { session, text } => {
                    (session, Err(String::from_utf8_lossy(text).into_owned()))
                }
                Response::Begin { session, .. } => {
                    self.large.insert(session, Vec::new());
                    continue;
                }
                Response::Part { session, bytes, last } => {
                    self.large.get_mut(&session).unwrap().extend_from_slice(bytes);
                    if !last {
                        continue;
                    }
                    (session, Ok(self.large.remove(&session).unwrap()))
                }
            };
            assert!(self.answers.insert(session, answer).is_none(), "{session} answered twice");
        }
    }

    pub(super) fn call(&mut self, to: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let session = self.ask(Address::Name(to.as_bytes()), body);
        self.answer(session)
    }
}

/// One that is called by the node.
pub(super) struct Fake {
    listener: TcpListener,
}

/// A request that the node has made.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) to: String,
    pub(super) session: u32,
    pub(super) push: bool,
    pub(super) tag: Option<String>,
    pub(super) body: Vec<u8>,
}

/// A connection of the node.
pub(super) struct Caller {
    pub(super) wire: Wire,
}

impl Fake {
    pub(super) fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next connection.
    pub(super) fn accept(&self) -> Caller {
        self.listener.set_nonblocking(false).unwrap();
        let listener = self.listener.try_clone().unwrap();
        let (arrived, accepted) = channel();
        // The thread ends with the test's process if nobody ever comes.
        std::thread::spawn(move || arrived.send(listener.accept()));
        let (socket, _) = accepted.recv_timeout(DEADLINE).expect("nobody connects").unwrap();
        Caller { wire: Wire::new(socket) }
    }

    /// True when nobody waits to be accepted.
    pub(super) fn is_quiet(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        self.listener.accept().is_err()
    }
}

impl Caller {
    /// The next request, put together; `None` when the node closes instead.
    pub(super) fn next(&mut self) -> Option<Asked> {
        let (mut tag, mut large) = (None, None);
        loop {
            let content = self.wire.frame()?;
            let asked = |to: Address<'_>, session, push, tag, body| Asked {
                to: match to {
                    Address::Handle(number) => number.to_string(),
                    Address::Name(name) => String::from_utf8_lossy(name).into_owned(),
                },
                session,
                push,
                tag,
                body,
            };
            match decode_request(&content).unwrap() {
                Request::Trace(bytes) => tag = Some(String::from_utf8_lossy(bytes).into_owned()),
                Request::Single { to, session, body } => {
                    return Some(asked(to, session, session == 0, tag, body.to_vec()));
                }
                Request::Begin { to, session, push, .. } => {
                    large = Some(asked(to, session, push, tag.take(), Vec::new()));
                }
                Request::Part { session, bytes, last } => {
                    let whole = large.as_mut().expect("a begin before its parts");
                    assert_eq!(whole.session, session, "requests are not mixed");
                    whole.body.extend_from_slice(bytes);
                    if last {
                        return large;
                    }
                }
            }
        }
    }

    pub(super) fn answer(&mut self, session: u32, body: &[u8]) {
        let mut out = Vec::new();
        encode_ok(&mut out, session, body);
        assert!(self.wire.send(&out));
    }

    pub(super) fn fail(&mut self, session: u32, why: &str) {
        let mut out = Vec::new();
        encode_error(&mut out, session, why.as_bytes());
        assert!(self.wire.send(&out));
    }
}
