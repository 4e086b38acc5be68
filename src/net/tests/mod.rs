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
use std::time::Duration;

use socket2::SockRef;
use tokio::runtime::{Builder, Handle, Runtime};

use super::tcp::{Options, connect};
use super::{Address, End, Flow, Receiver, Stream};

/// After this time a test that waits has failed; nothing here takes a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Small buffers of the kernel, so that a write of a few kilobytes is a partial one.
const SMALL: usize = 4096;

/// Threads that run the connections under test, in place of a node's workers.
struct Threads(Option<Runtime>);

impl Threads {
    fn new(count: usize) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(count).enable_all().build();
        Self(Some(runtime.unwrap()))
    }

    fn handle(&self) -> io::Result<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone()).ok_or(io::ErrorKind::Other.into())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        self.handle()?.spawn(task);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
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
fn sockets(io: &Threads) -> (tokio::net::TcpStream, TcpStream) {
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
fn serve<R: Receiver>(io: &Threads, socket: tokio::net::TcpStream, receiver: R) -> Arc<Stream> {
    let (stream, task) = Stream::tcp(socket, receiver).unwrap();
    io.spawn(task).unwrap();
    stream
}

/// A connection: the threads, the side under test, what it is told, and the peer.
struct Pair {
    io: Threads,
    stream: Arc<Stream>,
    events: Events<Event>,
    peer: TcpStream,
}

fn pair_with(on_bytes: Flow, on_eof: Flow) -> Pair {
    let io = Threads::new(1);
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
