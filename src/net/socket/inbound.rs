//! What arrives on a socket: through its filter, then into the buffer, a message, or a consumer.
//!
//! Invariant: bytes are handled in the order in which they came, one call at a time: `inbound` is
//! held while a filter or a consumer is at work, and only then. A filter's output goes out in the
//! order in which the filter made it: `filter` is held until it is written.
//! Lock order: `inbound`, then `filter`, then the leaves. A consumer may write and close, but
//! neither `attach` nor `set_filter` itself.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::one::{Mode, Phase, Socket};
use super::read::Delivery;
use crate::codec::socket_event::Event;
use crate::net::stream::{End, Ended, Flow, Receiver, Stream};

/// How long a peer may take nothing after a consumer has closed before the rest is dropped.
pub const CLOSE_LINGER: Duration = Duration::from_secs(30);

/// Messages waiting in the mailbox of an owner in raw mode above which its peers are held up.
const RAW_MESSAGES: usize = 8192;

/// Bytes of such messages, likewise.
const RAW_BYTES: usize = 16 << 20;

/// How often a held up socket in raw mode looks whether its owner has caught up.
const RAW_PAUSE: Duration = Duration::from_millis(5);

/// Who takes the bytes of a socket instead of its buffer. Called one call at a time, in the task of
/// the connection, or (for what had arrived before) by whoever attaches it.
pub trait Consumer: Send {
    /// Bytes have arrived.
    fn on_data(&mut self, socket: &Arc<Socket>, bytes: &[u8]) -> Flow;

    /// The socket is closed. The last call.
    fn on_end(&mut self, socket: &Arc<Socket>, end: &End);
}

/// A session that stands between the bytes of a connection and those of its user (TLS).
pub trait Filter: Send + Sync {
    /// Takes bytes of the connection. Adds what they mean to `plain`, and what the peer has to be
    /// sent for it to `reply`. True when the peer has closed its side.
    ///
    /// # Errors
    /// When the bytes are none of such a session; the text says why. The connection is closed,
    /// after `reply` has been sent.
    fn open(&self, bytes: &[u8], plain: &mut Vec<u8>, reply: &mut Vec<u8>) -> Result<bool, String>;

    /// Adds what the peer has to be sent for `plain` to `out`.
    ///
    /// # Errors
    /// When the session is closed; the text says why.
    fn seal(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String>;

    /// Adds what the peer has to be sent before the connection is closed to `out`.
    fn close(&self, _out: &mut Vec<u8>) {}

    /// The peer's bytes are over. May be told twice.
    fn end(&self) {}
}

/// What stands in the way of arriving bytes.
#[derive(Default)]
pub(super) struct Inbound {
    consumer: Option<Box<dyn Consumer>>,
}

thread_local! {
    /// Opened bytes and replies, reused so that a small record costs no allocation.
    static OPENED: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// A buffer larger than this is not kept.
const KEPT: usize = 64 << 10;

/// The receiver of a stream: hands everything to its socket.
pub(super) struct SocketReceiver(pub(super) Arc<Socket>);

impl Receiver for SocketReceiver {
    fn on_bytes(&mut self, _stream: &Arc<Stream>, bytes: &[u8]) -> Flow {
        self.0.receive(bytes)
    }

    fn on_eof(&mut self, _stream: &Arc<Stream>) -> Flow {
        self.0.receive_eof()
    }

    fn on_written(&mut self, _stream: &Arc<Stream>, left: usize) {
        self.0.note_written(left);
    }

    fn on_end(&mut self, _stream: &Arc<Stream>, end: End) {
        self.0.end(&end);
    }
}

impl Socket {
    fn lock_inbound(&self) -> MutexGuard<'_, Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes of the connection.
    pub(super) fn receive(self: &Arc<Self>, bytes: &[u8]) -> Flow {
        self.note_read();
        match self.deliver(bytes) {
            Delivery::Done => Flow::Continue,
            Delivery::Diverted => {
                let mut inbound = self.lock_inbound();
                self.process(&mut inbound, bytes)
            }
            Delivery::Raw => self.deliver_raw(bytes),
            Delivery::Overflow(text) => {
                self.fail(&text);
                Flow::Abort
            }
        }
    }

    /// The peer has closed its side.
    pub(super) fn receive_eof(self: &Arc<Self>) -> Flow {
        self.note_eof();
        self.end_filter();
        let attached = self.lock_inbound().consumer.is_some();
        let state = self.lock();
        // A script in buffered mode may still write; it is told, and closes in its own time.
        if attached || state.mode == Mode::Raw || state.phase == Phase::Closing {
            return Flow::Close;
        }
        Flow::Continue
    }

    pub(super) fn end(self: &Arc<Self>, end: &End) {
        self.note_end(end);
        let consumer = self.lock_inbound().consumer.take();
        if let Some(mut consumer) = consumer {
            consumer.on_end(self, end);
        }
        self.end_filter();
        *self.filter.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn end_filter(&self) {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(filter) = filter {
            filter.end();
        }
    }

    /// Lets the filter say what it has to before the connection is closed.
    pub(super) fn close_filter(&self, stream: &Stream) {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*filter {
            let mut out = Vec::new();
            session.close(&mut out);
            // A connection that is closing already has heard it.
            let _ = stream.write(&out);
        }
    }

    /// True when a filter stands between the connection and its user.
    pub fn is_filtered(&self) -> bool {
        self.is_filtered.load(Ordering::Acquire)
    }

    /// Takes bytes that a filter or a consumer has to see.
    fn process(self: &Arc<Self>, inbound: &mut Inbound, bytes: &[u8]) -> Flow {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = filter.as_ref().map(Arc::clone) else {
            drop(filter);
            return self.pass_on(inbound, bytes);
        };
        let (mut plain, mut reply) = OPENED.take();
        plain.clear();
        reply.clear();
        let opened = session.open(bytes, &mut plain, &mut reply);
        if let (false, Some(stream)) = (reply.is_empty(), self.stream()) {
            // What is queued is bounded by what the peer makes the session answer.
            let _ = stream.write(&reply);
        }
        drop(filter);
        let flow = if plain.is_empty() { Flow::Continue } else { self.pass_on(inbound, &plain) };
        if plain.capacity() <= KEPT && reply.capacity() <= KEPT {
            OPENED.set((plain, reply));
        }
        match opened {
            Ok(false) => flow,
            Ok(true) => {
                self.note_eof();
                if inbound.consumer.is_some() { Flow::Close } else { flow }
            }
            Err(text) => {
                self.lock().failure.get_or_insert_with(|| text.into());
                // The alert in `reply` still goes out.
                Flow::Close
            }
        }
    }

    fn pass_on(self: &Arc<Self>, inbound: &mut Inbound, bytes: &[u8]) -> Flow {
        if let Some(consumer) = &mut inbound.consumer {
            return consumer.on_data(self, bytes);
        }
        match self.deliver_opened(bytes) {
            Delivery::Done | Delivery::Diverted => Flow::Continue,
            Delivery::Raw => self.deliver_raw(bytes),
            Delivery::Overflow(text) => {
                self.fail(&text);
                Flow::Abort
            }
        }
    }

    /// Gives everything that arrives from now on, and what is buffered already, to `consumer`
    /// instead of the read buffer. Whoever waits to read is told that the socket is closed.
    ///
    /// # Errors
    /// When the socket is closed; the consumer is dropped without a call.
    pub fn attach(self: &Arc<Self>, mut consumer: Box<dyn Consumer>) -> Result<(), Ended> {
        let mut inbound = self.lock_inbound();
        let (unread, eof, reader) = {
            let mut state = self.lock();
            if matches!(state.phase, Phase::Closing | Phase::Ended) {
                return Err(Ended);
            }
            let mut unread = Vec::new();
            state.incoming.take_all(&mut unread);
            state.diverted = true;
            state.flooded = false;
            let owner = state.owner.clone();
            (unread, state.eof, state.wake_reader().zip(owner))
        };
        if let Some((session, owner)) = reader {
            self.answer(&owner.service, session);
        }
        let flow = if unread.is_empty() { Flow::Continue } else { consumer.on_data(self, &unread) };
        inbound.consumer = Some(consumer);
        drop(inbound);
        self.apply(if eof { Flow::Close } else { flow });
        Ok(())
    }

    /// Lets all bytes pass through `filter` from now on, those that are unread too.
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn set_filter(self: &Arc<Self>, filter: Arc<dyn Filter>) -> Result<(), Ended> {
        let mut inbound = self.lock_inbound();
        let (unread, eof) = {
            let mut current = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
            let mut state = self.lock();
            if matches!(state.phase, Phase::Closing | Phase::Ended) {
                return Err(Ended);
            }
            *current = Some(filter);
            self.is_filtered.store(true, Ordering::Release);
            let mut unread = Vec::new();
            state.incoming.take_all(&mut unread);
            state.diverted = true;
            state.flooded = false;
            (unread, state.eof)
        };
        let flow =
            if unread.is_empty() { Flow::Continue } else { self.process(&mut inbound, &unread) };
        drop(inbound);
        if eof {
            // The peer was gone before there was a filter to be told.
            self.end_filter();
        }
        self.apply(flow);
        Ok(())
    }

    /// Sends bytes past the filter: what a session has to say before anybody writes.
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn write_unfiltered(&self, bytes: &[u8]) -> Result<usize, Ended> {
        self.stream().ok_or(Ended)?.write(bytes)
    }

    /// Does what a consumer or filter asks for outside of the connection's own task.
    fn apply(self: &Arc<Self>, flow: Flow) {
        match flow {
            Flow::Continue => self.resume_link(),
            Flow::Close => self.close(CLOSE_LINGER),
            Flow::Abort => self.close(Duration::ZERO),
        }
    }

    /// Sends bytes to the owner as a message, and holds the peer up while the owner lags behind.
    fn deliver_raw(self: &Arc<Self>, bytes: &[u8]) -> Flow {
        let Some(owner) = self.lock().owner.clone() else { return Flow::Continue };
        self.tell_service(&owner.service, &Event::Data(bytes));
        let lags = |messages: usize, bytes: usize| {
            owner.service.pending() >= messages || owner.service.queued_bytes() >= bytes
        };
        if !lags(RAW_MESSAGES, RAW_BYTES) {
            return Flow::Continue;
        }
        // Before it is marked: whoever takes the mark off resumes.
        self.pause_link();
        if std::mem::replace(&mut self.lock().flooded, true) {
            return Flow::Continue;
        }
        let socket = Arc::clone(self);
        let service = Arc::clone(&owner.service);
        let caught_up = async move {
            loop {
                tokio::time::sleep(RAW_PAUSE).await;
                let lags = service.pending() >= RAW_MESSAGES / 2
                    || service.queued_bytes() >= RAW_BYTES / 2;
                if !lags || service.is_retired() || socket.has_ended() {
                    break;
                }
            }
            let wanted = {
                let mut state = socket.lock();
                std::mem::take(&mut state.flooded) && !state.paused && state.mode != Mode::Idle
            };
            if wanted {
                socket.resume_link();
            }
        };
        // Data of a bound descriptor comes on a thread of its own.
        if let Some(runtime) = self.sockets.upgrade().and_then(|sockets| sockets.runtime().ok()) {
            runtime.spawn(caught_up);
        }
        Flow::Continue
    }
}
