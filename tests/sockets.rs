//! Sockets under consumers and filters, as the protocols of the node use them.
//!
//! A real node drives the network; the owner is a double that reports what it is sent.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use node::kernel::{
    Actor, Clock, Inbox, Kind, Launch, Message, Node, NodeOptions, Service, Session,
};
use node::net::Io;
use node::net::socket::{
    Consumer, Filter, Mode, OpenError, Owner, Separator, Socket, SocketOptions, Sockets,
    StartError, Take, Want,
};
use node::net::stream::{End, Flow};

const DEADLINE: Duration = Duration::from_secs(30);

struct Reporter(Sender<(Kind, Session)>);

impl Actor for Reporter {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(Message { kind, session, .. }) = inbox.next_message() {
            let _ = self.0.send((kind, session));
        }
    }
}

fn reporter(node: &Arc<Node>, sender: Sender<(Kind, Session)>) -> Arc<Service> {
    let launched = node
        .launch_actor("owner", |_| Ok(Launch { actor: Box::new(Reporter(sender)), first: None }));
    launched.unwrap()
}

struct Stage {
    node: Arc<Node>,
    sockets: Arc<Sockets>,
    service: Arc<Service>,
    reports: Receiver<(Kind, Session)>,
}

impl Stage {
    fn new() -> Self {
        let io = Arc::new(Io::new());
        let options = NodeOptions {
            threads: 2,
            harbor: 0,
            profile: false,
            endless_warning: DEADLINE,
            max_services: 8,
            message_log_directory: None,
            clock: Clock::real(),
            poke: |_| {},
        };
        let node = Node::new(options, HashMap::new());
        node.set_driver(Arc::clone(&io) as _);
        let (sender, reports) = channel();
        let service = reporter(&node, sender);
        node.start();
        let sockets = Sockets::new(io, SocketOptions { nodelay: true, send_limit: 1 << 20 });
        Self { service, node, sockets, reports }
    }

    /// A connection and its peer.
    fn connection(&self) -> (Arc<Socket>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let owner = self.owner();
        let session = Session(1);
        let socket = self
            .sockets
            .connect(
                &self.node,
                owner,
                Mode::Buffered,
                ("127.0.0.1", port),
                Box::new(|_| true),
                Some(session),
            )
            .unwrap();
        let (peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        self.expect(session);
        (socket, peer)
    }

    fn owner(&self) -> Owner {
        Owner { service: Arc::clone(&self.service), sockets: None, memory: usize::MAX }
    }

    fn expect(&self, session: Session) {
        assert_eq!(self.reports.recv_timeout(DEADLINE).unwrap(), (Kind::RESPONSE, session));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.sockets.service_ended(self.service.handle);
        self.node.abort();
        self.node.join();
    }
}

fn wait_until(check: impl Fn() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !check() {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

/// Turns bits around, and answers a `?` of the peer by itself.
struct Turning;

impl Filter for Turning {
    fn open(&self, bytes: &[u8], plain: &mut Vec<u8>, reply: &mut Vec<u8>) -> Result<bool, String> {
        for byte in bytes {
            match !byte {
                b'?' => reply.push(!b'!'),
                b'#' => return Err("a bad byte".to_owned()),
                b'$' => return Ok(true),
                byte => plain.push(byte),
            }
        }
        Ok(false)
    }

    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.extend(plain.iter().map(|byte| !byte));
        Ok(())
    }
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

enum Heard {
    Data(Vec<u8>),
    End(String),
}

struct Listening(Sender<Heard>);

impl Consumer for Listening {
    fn on_data(&mut self, socket: &Arc<Socket>, bytes: &[u8]) -> Flow {
        self.0.send(Heard::Data(bytes.to_vec())).unwrap();
        if bytes.ends_with(b"bye") {
            socket.write(b"farewell").unwrap();
            return Flow::Close;
        }
        Flow::Continue
    }

    fn on_end(&mut self, _socket: &Arc<Socket>, end: &End) {
        self.0.send(Heard::End(end.to_string())).unwrap();
    }
}

/// Everything that is heard until `length` bytes are.
fn heard(from: &Receiver<Heard>, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < length {
        match from.recv_timeout(DEADLINE).unwrap() {
            Heard::Data(bytes) => all.extend(bytes),
            Heard::End(why) => panic!("ended: {why}"),
        }
    }
    all
}

fn end_of(from: &Receiver<Heard>) -> String {
    match from.recv_timeout(DEADLINE).unwrap() {
        Heard::Data(bytes) => panic!("{bytes:?}"),
        Heard::End(why) => why,
    }
}

#[test]
fn a_consumer_gets_what_is_unread_and_all_that_follows_and_may_close() {
    let stage = Stage::new();
    let (socket, mut peer) = stage.connection();
    peer.write_all(b"before ").unwrap();
    wait_until(|| socket.unread() == 7);
    let (sender, received) = channel();
    socket.attach(Box::new(Listening(sender))).unwrap();
    assert_eq!(heard(&received, 7), b"before ");
    peer.write_all(b"bye").unwrap();
    assert_eq!(heard(&received, 3), b"bye");
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"farewell");
    assert_eq!(end_of(&received), "closed");
    assert!(socket.write(b"x").is_err());
    assert!(stage.sockets.get(socket.id()).is_none());
}

#[test]
fn a_reader_that_waits_is_told_when_a_consumer_takes_over() {
    let stage = Stage::new();
    let (socket, _peer) = stage.connection();
    let mut bytes = Vec::new();
    let session = Session(7);
    assert_eq!(socket.read(&Want::Any, &mut bytes, || Some(session)), Take::Wait);
    let (sender, received) = channel();
    socket.attach(Box::new(Listening(sender))).unwrap();
    stage.expect(session);
    socket.close(Duration::ZERO);
    assert_eq!(end_of(&received), "closed");
}

#[test]
fn a_filter_stands_between_the_connection_and_whoever_uses_it() {
    let stage = Stage::new();
    let (socket, mut peer) = stage.connection();
    peer.write_all(&turned(b"line one\n")).unwrap();
    wait_until(|| socket.unread() == 9);
    socket.set_filter(Arc::new(Turning)).unwrap();
    let line = || Want::Line(Separator::new(b"\n"));
    let mut bytes = Vec::new();
    assert_eq!(socket.read(&line(), &mut bytes, || None), Take::Done);
    assert_eq!(bytes, b"line one");
    let session = Session(5);
    assert_eq!(socket.read(&line(), &mut bytes, || Some(session)), Take::Wait);
    peer.write_all(&turned(b"line? two\n")).unwrap();
    stage.expect(session);
    assert_eq!(socket.finish_read(session, &mut bytes, || unreachable!()), Take::Done);
    assert_eq!(bytes, b"line two");
    socket.write(b" answer").unwrap();
    let mut answer = [0; 8];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *turned(b"! answer"));
    // The session's own end is an end, also while the connection stays.
    assert_eq!(socket.read(&Want::Any, &mut bytes, || Some(session)), Take::Wait);
    peer.write_all(&turned(b"rest$")).unwrap();
    stage.expect(session);
    assert_eq!(socket.finish_read(session, &mut bytes, || unreachable!()), Take::Done);
    assert_eq!(bytes, b"rest");
    wait_until(|| !socket.is_connected());
    assert_eq!(socket.read(&Want::Any, &mut bytes, || None), Take::Ended);
}

#[test]
fn a_filter_that_fails_closes_the_connection_with_its_reason() {
    let stage = Stage::new();
    let (socket, mut peer) = stage.connection();
    socket.set_filter(Arc::new(Turning)).unwrap();
    let (sender, received) = channel();
    socket.attach(Box::new(Listening(sender))).unwrap();
    peer.write_all(&turned(b"ok?")).unwrap();
    assert_eq!(heard(&received, 2), b"ok");
    peer.write_all(&turned(b"#")).unwrap();
    assert_eq!(end_of(&received), "closed");
    assert_eq!(socket.failure().as_deref(), Some("a bad byte"));
    let mut reply = Vec::new();
    peer.read_to_end(&mut reply).unwrap();
    assert_eq!(reply, turned(b"!"));
}

#[test]
fn what_a_peer_does_not_take_is_bounded() {
    let stage = Stage::new();
    let (socket, peer) = stage.connection();
    let chunk = vec![0; 1 << 16];
    let taken = (0..10_000).take_while(|_| socket.write(&chunk).is_ok()).count();
    // The system's own buffers hold some MiB.
    assert!(taken < 1_000, "{taken} writes");
    wait_until(|| socket.has_ended());
    let failure = socket.failure().unwrap();
    assert!(failure.contains("the limit is 1048576"), "{failure}");
    drop(peer);
}

#[test]
fn what_a_descriptor_does_not_take_is_bounded_too() {
    let stage = Stage::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let no_input = |_: &File, _| Ok(false);
    let bound =
        stage.sockets.bind(&stage.node, stage.owner(), Mode::Buffered, ours.into(), no_input);
    let socket = bound.unwrap();
    let chunk = vec![0; 1 << 16];
    let taken = (0..10_000).take_while(|_| socket.write(&chunk).is_ok()).count();
    assert!(taken < 1_000, "{taken} writes");
    wait_until(|| socket.has_ended());
    let failure = socket.failure().unwrap();
    assert!(failure.contains("the limit is 1048576"), "{failure}");
    drop(theirs);
}

#[test]
fn a_socket_that_could_not_be_started_does_not_count() {
    let stage = Stage::new();
    let (socket, peer) = stage.connection();
    peer.shutdown(Shutdown::Write).unwrap();
    wait_until(|| !socket.is_connected());
    let (sender, _reports) = channel();
    let service = reporter(&stage.node, sender);
    let other = Owner { service, sockets: Some(1), memory: usize::MAX };
    assert_eq!(socket.start(other.clone(), Mode::Buffered), Err(StartError::Closed));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = ("127.0.0.1", listener.local_addr().unwrap().port());
    let open = || {
        let allows = Box::new(|_| true);
        stage.sockets.connect(&stage.node, other.clone(), Mode::Buffered, to, allows, None)
    };
    let first = open().unwrap();
    assert!(matches!(open(), Err(OpenError::TooMany(1))));
    first.close(Duration::ZERO);
    wait_until(|| first.has_ended());
}
