//! One connection, as those see it who write on it.
//!
//! Invariant: bytes go out in the order in which they were given (within a priority), whichever
//! threads give them, and after `End` was reported nothing is read or written any more. Each
//! stream has one task (`pump.rs`) that reads, writes what is queued, and reports the end once.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::chunk::Chunk;
use super::half::{Reading, Writing};
use super::outgoing::Outgoing;
use super::pump::Pump;

/// How urgent a chunk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// In the order of writing.
    High,
    /// When nothing of high priority waits.
    Low,
}

/// What to do after bytes were received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Write what is queued, then close.
    Close,
    /// Close at once.
    Abort,
}

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// The peer closed it.
    Peer,
    /// This side closed it.
    Closed,
    /// This side closed it, and the peer did not take what was left in time.
    Lingered,
    /// It broke.
    Failed(io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => formatter.write_str("closed by the peer"),
            Self::Closed => formatter.write_str("closed"),
            Self::Lingered => formatter.write_str("closed; the peer did not read what was left"),
            Self::Failed(error) => error.fmt(formatter),
        }
    }
}

/// Who gets what a connection receives. Called in its task, one call at a time; must not
/// block.
pub trait Receiver: Send + 'static {
    /// The task of the connection begins. Comes before all else, and once.
    fn on_start(&mut self, _stream: &Arc<Stream>) -> Flow {
        Flow::Continue
    }

    /// Bytes have arrived. They are the caller's; what has to stay is copied.
    fn on_bytes(&mut self, stream: &Arc<Stream>, bytes: &[u8]) -> Flow;

    /// The peer will send no more. `Continue` keeps the other direction open until `close`.
    fn on_eof(&mut self, _stream: &Arc<Stream>) -> Flow {
        Flow::Close
    }

    /// Queued bytes have gone out; `left` are still queued.
    fn on_written(&mut self, _stream: &Arc<Stream>, _left: usize) {}

    /// The connection has ended. The last call.
    fn on_end(&mut self, stream: &Arc<Stream>, end: End);
}

/// The connection is closing or has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Open,
    /// To be closed when everything is written, or when the peer takes nothing for this time.
    Closing(Duration),
    Ended,
}

pub(super) struct State {
    /// The socket, for writes from the thread that calls; `None` once it has ended.
    pub(super) direct: Option<Writing>,
    pub(super) outgoing: Outgoing,
    /// The task, while it sleeps.
    pub(super) waker: Option<Waker>,
    pub(super) phase: Phase,
    /// Bytes are wanted from the peer.
    pub(super) reading: bool,
    /// A direct write failed; the task reports it.
    pub(super) failure: Option<io::Error>,
}

impl State {
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// One connection.
pub struct Stream {
    peer: SocketAddr,
    local: SocketAddr,
    state: Mutex<State>,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
}

impl Stream {
    /// A TCP connection, and the task that serves it.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub fn tcp<R: Receiver>(
        socket: TcpStream,
        receiver: R,
    ) -> io::Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static)> {
        let (peer, local) = (socket.peer_addr()?, socket.local_addr()?);
        let (read, write) = socket.into_split();
        let stream = Self::new(peer, local, Writing::Tcp(write));
        let task = Pump::new(Arc::clone(&stream), Reading::Tcp(read), receiver).run();
        Ok((stream, task))
    }

    /// A connection through a socket of the file system, which has no addresses: both are the
    /// unspecified one.
    pub fn unix<R: Receiver>(
        socket: UnixStream,
        receiver: R,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + 'static) {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (read, write) = socket.into_split();
        let stream = Self::new(nowhere, nowhere, Writing::Unix(write));
        let task = Pump::new(Arc::clone(&stream), Reading::Unix(read), receiver).run();
        (stream, task)
    }

    fn new(peer: SocketAddr, local: SocketAddr, socket: Writing) -> Arc<Self> {
        Arc::new(Self {
            peer,
            local,
            state: Mutex::new(State {
                direct: Some(socket),
                outgoing: Outgoing::default(),
                waker: None,
                phase: Phase::Open,
                reading: true,
                failure: None,
            }),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes `bytes`, at once as far as the socket takes them; the rest is queued. Does not
    /// block. Answers how many bytes are queued, which the caller has to bound.
    ///
    /// # Errors
    /// When the connection is closing or has ended.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(Ended);
        }
        let written = if state.outgoing.is_empty() { self.write_now(&mut state, bytes) } else { 0 };
        if written < bytes.len() {
            state.outgoing.push(Chunk::new(bytes[written..].to_vec()), false);
            state.wake();
        }
        Ok(state.outgoing.bytes())
    }

    /// Writes chunks, which are not copied. Otherwise as `write`.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_chunks(
        &self,
        chunks: impl IntoIterator<Item = Chunk>,
        priority: Priority,
    ) -> Result<usize, Ended> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(Ended);
        }
        let idle = state.outgoing.is_empty();
        for chunk in chunks {
            state.outgoing.push(chunk, priority == Priority::Low);
        }
        let State { direct, outgoing, failure, .. } = &mut *state;
        if let (true, Some(direct)) = (idle, direct) {
            while !outgoing.is_empty() {
                match outgoing.write_with(|slices| direct.try_write_vectored(slices)) {
                    Ok(written) => self.count_sent(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        *failure = Some(error);
                        break;
                    }
                }
            }
        }
        if !state.outgoing.is_empty() || state.failure.is_some() {
            state.wake();
        }
        Ok(state.outgoing.bytes())
    }

    fn write_now(&self, state: &mut State, bytes: &[u8]) -> usize {
        let Some(direct) = &state.direct else { return 0 };
        match direct.try_write(bytes) {
            Ok(written) => {
                self.count_sent(written);
                written
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    state.failure = Some(error);
                }
                0
            }
        }
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Small writes go out at once from now on.
    pub fn set_nodelay(&self) {
        if let Some(socket) = &self.lock().direct {
            socket.set_nodelay();
        }
    }

    /// Bytes that wait to be written.
    pub fn queued(&self) -> usize {
        self.lock().outgoing.bytes()
    }

    /// Bytes received and sent so far.
    pub fn traffic(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// Takes no further bytes from the peer, who is held up by that in the end.
    pub fn pause(&self) {
        self.lock().reading = false;
    }

    /// Takes bytes from the peer again.
    pub fn resume(&self) {
        let mut state = self.lock();
        if !state.reading {
            state.reading = true;
            state.wake();
        }
    }

    /// Takes no more writes, writes what is queued, and closes; drops what is left when the peer
    /// takes nothing for `linger`. A zero `linger` closes at once.
    pub fn close(&self, linger: Duration) {
        let mut state = self.lock();
        if state.phase != Phase::Ended {
            state.phase = Phase::Closing(linger);
            state.wake();
        }
    }

    /// Where the peer is.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Where this side is.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "connection of {} with {}", self.local, self.peer)
    }
}
