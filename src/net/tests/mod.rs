//! Connections on real sockets of the loopback interface.
//!
//! The side under test is a `Stream`; its peer is a plain blocking socket of the test's own thread.
//! What a receiver is called with arrives in a channel, so that a test waits for events, never for
//! time to pass.

mod stream;
mod tcp;
mod tls;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver as Events, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tokio::runtime::Handle;

use super::tcp::{Options, connect};
use super::{Address, End, Flow, Io, Receiver, Stream};
use crate::kernel::driver::{Driver as _, Signal};

/// After this time a test that waits has failed; nothing here takes a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Small buffers of the kernel, so that a write of a few kilobytes is a partial one.
const SMALL: usize = 4096;

/// The I/O and a thread that waits in it, in place of a node's workers.
struct Driven {
    io: Option<Arc<Io>>,
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Driven {
    fn new() -> Self {
        let (io, signal) = (Arc::new(Io::new()), Arc::new(Signal::default()));
        // There is nothing to wait for before it has begun.
        io.handle().unwrap();
        let (waiting, called) = (Arc::clone(&io), Arc::clone(&signal));
        let thread = thread::spawn(move || waiting.wait(&called));
        Self { io: Some(io), signal, thread: Some(thread) }
    }

    fn io(&self) -> &Io {
        self.io.as_ref().unwrap()
    }

    fn handle(&self) -> io::Result<Handle> {
        self.io().handle()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        self.io().spawn(task)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.signal.set();
        // A panic there has failed the test already.
        let _ = self.thread.take().map(JoinHandle::join);
        self.io = None;
    }
}

/// What a receiver was told.
#[derive(Debug)]
enum Event {
    Bytes(Vec<u8>),
    Eof,
    Written(usize),
    End(End),
}

/// Tells the test everything; answers bytes and the peer's end as it was told to.
struct Recorder {
    events: Sender<Event>,
    on_bytes: Flow,
    on_eof: Flow,
}

impl Receiver for Recorder {
    fn on_bytes(&mut self, _stream: &Arc<Stream>, bytes: &[u8]) -> Flow {
        let _ = self.events.send(Event::Bytes(bytes.to_vec()));
        self.on_bytes
    }

    fn on_eof(&mut self, _stream: &Arc<Stream>) -> Flow {
        let _ = self.events.send(Event::Eof);
        self.on_eof
    }

    fn on_written(&mut self, _stream: &Arc<Stream>, left: usize) {
        let _ = self.events.send(Event::Written(left));
    }

    fn on_end(&mut self, _stream: &Arc<Stream>, end: End) {
        let _ = self.events.send(Event::End(end));
    }
}

fn next(events: &Events<Event>) -> Event {
    events.recv_timeout(PATIENCE).unwrap()
}

/// The end, whatever was told before it; nothing comes behind it.
fn end(events: &Events<Event>) -> End {
    loop {
        if let Event::End(end) = next(events) {
            assert!(events.recv_timeout(PATIENCE).is_err(), "the receiver is gone after the end");
            return end;
        }
    }
}

/// The next `count` bytes.
fn bytes(events: &Events<Event>, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        if let Event::Bytes(bytes) = next(events) {
            all.extend(bytes);
        }
    }
    all
}

/// Two connected sockets with small buffers: one for a stream, one for the test.
fn sockets(io: &Driven) -> (tokio::net::TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(SMALL).unwrap();
    let number = listener.local_addr().unwrap();
    let address = Address::of_ip(number.ip(), number.port());
    let runtime = io.handle().unwrap();
    let ours = runtime.block_on(connect(&address, Options::default(), PATIENCE)).unwrap();
    SockRef::from(&ours).set_send_buffer_size(SMALL).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (ours, peer)
}

/// Serves `socket`.
fn serve<R: Receiver>(io: &Driven, socket: tokio::net::TcpStream, receiver: R) -> Arc<Stream> {
    let (stream, task) = Stream::tcp(socket, receiver).unwrap();
    io.spawn(task).unwrap();
    stream
}

/// A connection: the threads, the side under test, what it is told, and the peer.
struct Pair {
    io: Driven,
    stream: Arc<Stream>,
    events: Events<Event>,
    peer: TcpStream,
}

fn pair_with(on_bytes: Flow, on_eof: Flow) -> Pair {
    let io = Driven::new();
    let (ours, peer) = sockets(&io);
    let (events, told) = mpsc::channel();
    let stream = serve(&io, ours, Recorder { events, on_bytes, on_eof });
    Pair { io, stream, events: told, peer }
}

fn pair() -> Pair {
    pair_with(Flow::Continue, Flow::Close)
}

/// More bytes than the kernel takes while nobody reads; each tells where it stands.
fn flood() -> Vec<u8> {
    (0..1_u32 << 20).flat_map(u32::to_le_bytes).collect()
}

fn kind(end: &End) -> Option<io::ErrorKind> {
    match end {
        End::Failed(error) => Some(error.kind()),
        _ => None,
    }
}
