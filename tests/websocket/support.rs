//! A connection whose other side is the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use node::kernel::{Handle, Session};
use node::net::Ended;
use node::websocket::connection::{Next, Opening, Parts};
use node::websocket::handshake::server;
use node::websocket::{Closed, Connection, Deadlines, Event, How, Limits, Transport, Wake};

/// What the connection has done to its transport.
#[derive(Default)]
pub(crate) struct Carried {
    pub(crate) written: Vec<u8>,
    pub(crate) writes: usize,
    pub(crate) queued: usize,
    pub(crate) closed: Option<Duration>,
    pub(crate) paused: bool,
    pub(crate) woken: Vec<i32>,
}

#[derive(Default, Clone)]
pub(crate) struct Fake(Arc<Mutex<Carried>>);

impl Fake {
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Carried) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }
}

impl Transport for Fake {
    fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        self.with(|carried| {
            if carried.closed.is_some() {
                return Err(Ended);
            }
            carried.written.extend_from_slice(bytes);
            carried.writes += 1;
            Ok(carried.queued)
        })
    }

    fn close(&self, linger: Duration) {
        self.with(|carried| carried.closed = Some(linger));
    }

    fn pause(&self) {
        self.with(|carried| carried.paused = true);
    }

    fn resume(&self) {
        self.with(|carried| carried.paused = false);
    }
}

impl Wake for Fake {
    fn wake(&self, _service: Handle, session: Session) {
        self.with(|carried| carried.woken.push(session.0));
    }
}

pub(crate) const REQUEST: &str = "GET /game HTTP/1.1\r\nHost: game.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

pub(crate) struct Side {
    pub(crate) connection: Arc<Connection>,
    pub(crate) fake: Fake,
    pub(crate) deadlines: Arc<Deadlines>,
}

impl Side {
    pub(crate) fn new(limits: Limits, opening: Opening, mask_outgoing: bool) -> Self {
        let fake = Fake::default();
        let deadlines = Deadlines::manual();
        let parts = Parts {
            transport: Arc::new(fake.clone()),
            wake: Arc::new(fake.clone()),
            deadlines: Arc::clone(&deadlines),
            limits,
            mask_outgoing,
        };
        Self { connection: Connection::new(parts, opening), fake, deadlines }
    }

    /// A server that awaits its request.
    pub(crate) fn unopened(limits: Limits) -> Self {
        Self::new(limits, Opening::Server(server::Offer::default()), false)
    }

    /// A server whose handshake is done.
    pub(crate) fn open(limits: Limits) -> Self {
        let side = Self::unopened(limits);
        side.connection.feed(REQUEST.as_bytes());
        assert!(matches!(side.next(), Some(Event::Open { .. })));
        assert!(side.take_written().starts_with(b"HTTP/1.1 101 "));
        side
    }

    /// A client whose handshake is done.
    pub(crate) fn client(limits: Limits) -> Self {
        let (request, asked) =
            node::websocket::handshake::client::request("game.example", "/", &[]).unwrap();
        let side = Self::new(limits, Opening::Client(request.clone(), asked), false);
        assert_eq!(side.take_written(), request);
        let (request, _) = server::read(&request, 0).unwrap().unwrap();
        side.connection.feed(&server::grant(&request, &server::Offer::default()).unwrap());
        assert!(matches!(side.next(), Some(Event::Open { .. })));
        side
    }

    pub(crate) fn next(&self) -> Option<Event> {
        match self.connection.next(None) {
            Next::Event(event) => Some(event),
            _ => None,
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }

    pub(crate) fn take_written(&self) -> Vec<u8> {
        self.fake.with(|carried| std::mem::take(&mut carried.written))
    }

    pub(crate) fn closed(&self) -> Option<Duration> {
        self.fake.with(|carried| carried.closed)
    }

    /// The end that was reported, as the last event.
    pub(crate) fn end(&self) -> Closed {
        match self.events().pop() {
            Some(Event::Closed(closed)) => closed,
            other => panic!("no end but {other:?}"),
        }
    }

    /// Sends `bytes` and expects to be told of a fault with `code`.
    pub(crate) fn expect_fault(self, bytes: &[u8], code: u16) {
        self.connection.feed(bytes);
        let end = self.end();
        assert_eq!((end.how, end.code), (How::Failed, Some(code)), "{end:?}");
        let frame = self.take_written();
        let [0x88, length, rest @ ..] = frame.as_slice() else {
            panic!("no close frame: {frame:?}")
        };
        assert_eq!(usize::from(*length), rest.len());
        assert_eq!(rest[..2], code.to_be_bytes());
        assert!(self.closed().is_none(), "it is still read, so that the peer gets the close frame");
        self.connection.feed(b"\x81\x85aaaa");
        assert_eq!(self.take_written(), b"", "nothing follows a close frame");
        self.deadlines.advance(Duration::from_secs(1));
        assert!(self.closed().is_some());
    }
}

/// A frame of a client: opcode byte as given, masked.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = head(first, payload.len(), 0x80);
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame of a server.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    [head(first, payload.len(), 0), payload.to_vec()].concat()
}

fn head(first: u8, length: usize, mask: u8) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(mask | u8::try_from(length).unwrap()),
        126..65_536 => {
            head.push(mask | 126);
            head.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}
