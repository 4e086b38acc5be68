//! Descriptors that were made elsewhere: standard input, pipes, terminals, files.
//!
//! They are shared with others, so they are neither made non-blocking nor closed: this side works
//! on a duplicate, reads only what the system says is there, and writes on a thread that may wait.
//! Invariant: one reading thread a descriptor, which ends with the socket or at the end of input.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::one::{Link, Mode, Owner, Phase, Socket};
use super::table::{OpenError, Sockets};
use crate::kernel::Node;
use crate::net::stream::{End, Ended, Flow};

/// What one read takes at most.
const READ: usize = 16 << 10;

/// How often a thread that waits for input looks whether its socket is closed. The system has no
/// way to end a wait for a terminal from outside that works on every descriptor.
const LOOK: Duration = Duration::from_millis(100);

/// Says whether a descriptor has input, waiting at most for so long.
pub type Poll = fn(&File, Duration) -> io::Result<bool>;

/// A descriptor made elsewhere.
pub(super) struct Bound {
    closing: AtomicBool,
    reading: Mutex<bool>,
    resumed: Condvar,
    output: Mutex<Option<Sender<Vec<u8>>>>,
    queued: Arc<AtomicUsize>,
    received: AtomicU64,
    sent: Arc<AtomicU64>,
}

impl Sockets {
    /// Makes a socket of `descriptor`, which is a duplicate of the script's; `poll` waits for its
    /// input.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated once more, a thread cannot be started, or there
    /// are too many sockets.
    pub fn bind(
        self: &Arc<Self>,
        node: &Arc<Node>,
        owner: Owner,
        mode: Mode,
        descriptor: OwnedFd,
        poll: Poll,
    ) -> Result<Arc<Socket>, OpenError> {
        let output = File::from(descriptor.as_fd().try_clone_to_owned()?);
        let input = File::from(descriptor);
        let (sender, receiver) = channel::<Vec<u8>>();
        let bound = Arc::new(Bound {
            closing: AtomicBool::new(false),
            reading: Mutex::new(true),
            resumed: Condvar::new(),
            output: Mutex::new(Some(sender)),
            queued: Arc::default(),
            received: AtomicU64::new(0),
            sent: Arc::default(),
        });
        let socket = self.add(node, owner, mode, Phase::Open)?;
        let _ = socket.link.set(Link::Bound(Arc::clone(&bound)));
        if let Err(error) = bound.begin(&socket, (input, poll), (output, receiver)) {
            self.forget(&socket);
            return Err(error.into());
        }
        Ok(socket)
    }
}

impl Bound {
    /// Starts both threads.
    fn begin(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        (input, poll): (File, Poll),
        (mut output, receiver): (File, Receiver<Vec<u8>>),
    ) -> io::Result<()> {
        let name = |what: &str| format!("{what} {}", socket.id.number());
        // It ends when the sender is dropped, which is when the socket closes; so it must not
        // keep the socket alive.
        let (ours, queued) = (Arc::downgrade(socket), Arc::clone(&self.queued));
        let sent = Arc::clone(&self.sent);
        std::thread::Builder::new().name(name("write")).spawn(move || {
            for bytes in receiver {
                if output.write_all(&bytes).is_ok() {
                    sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                }
                let left = queued.fetch_sub(bytes.len(), Ordering::Relaxed) - bytes.len();
                if let Some(socket) = ours.upgrade() {
                    socket.note_written(left);
                }
            }
        })?;
        let (ours, reader) = (Arc::clone(socket), Arc::clone(self));
        std::thread::Builder::new().name(name("read")).spawn(move || {
            let end = reader.read(&ours, input, poll);
            ours.end(&end);
        })?;
        Ok(())
    }

    fn read(&self, socket: &Arc<Socket>, mut input: File, poll: Poll) -> End {
        let mut buffer = vec![0; READ];
        while self.may_read() {
            match poll(&input, LOOK) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => return End::Failed(error),
            }
            match input.read(&mut buffer) {
                Ok(0) => {
                    socket.note_eof();
                    return End::Peer;
                }
                Ok(count) => {
                    self.received.fetch_add(count as u64, Ordering::Relaxed);
                    if socket.receive(&buffer[..count]) != Flow::Continue {
                        return End::Closed;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return End::Failed(error),
            }
        }
        End::Closed
    }

    /// Waits while reading is paused; false once the socket is closed.
    fn may_read(&self) -> bool {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |reading: &mut bool| !*reading && !self.closing.load(Ordering::SeqCst);
        drop(self.resumed.wait_while(reading, waits));
        !self.closing.load(Ordering::SeqCst)
    }

    pub(super) fn pause(&self) {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    pub(super) fn resume(&self) {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.resumed.notify_all();
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Ended> {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let output = output.as_ref().ok_or(Ended)?;
        let queued = self.queued.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        output.send(bytes.to_vec()).map_err(|_| Ended)?;
        Ok(queued)
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        *self.output.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let guard = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.resumed.notify_all();
        drop(guard);
    }

    pub(super) fn traffic(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}
