//! One socket: who owns it, what it is, and how it begins. How it ends is in `end.rs`.
//!
//! Invariant: `state` is a leaf lock; what follows from a change (messages, answers) happens after
//! it is released.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::accept::Listener;
use super::bound::Bound;
use super::inbound::{Filter, Inbound};
use super::incoming::Incoming;
use super::read::Reader;
use super::table::Sockets;
use super::udp::Udp;
use crate::codec::socket_event::Event;
use crate::kernel::stamp::LastStamp;
use crate::kernel::{Node, Service, Session};
use crate::net::stream::Stream;

/// Number of a socket: positive, and of this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SocketId(pub(super) i32);

impl SocketId {
    /// The id with this number; `None` when it is none of a socket.
    pub fn new(number: i64) -> Option<Self> {
        i32::try_from(number).ok().filter(|number| *number > 0).map(Self)
    }

    /// The number scripts see.
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// Who gets the events of a socket.
#[derive(Clone)]
pub struct Owner {
    /// The service.
    pub service: Arc<Service>,
    /// Most sockets it may have.
    pub sockets: Option<usize>,
    /// Most bytes that may wait to be read, whatever a reader asks for.
    pub memory: usize,
}

/// How a socket hands over what arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Nobody has started it: nothing is read.
    Idle,
    /// Buffered for readers.
    Buffered,
    /// As messages.
    Raw,
}

/// Where a socket is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Being opened.
    Connecting,
    /// In use, or waiting to be started.
    Open,
    /// Its own side has closed it.
    Closing,
    /// Gone.
    Ended,
}

/// Why a socket could not be started; the texts are skynet's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// It is closed.
    Closed,
    /// Its new owner has as many as it may.
    TooMany(usize),
}

/// What carries the bytes.
pub(super) enum Link {
    Tcp(Arc<Stream>),
    Listener(Listener),
    Udp(Arc<Udp>),
    Bound(Arc<Bound>),
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) mode: Mode,
    pub(super) owner: Option<Owner>,
    pub(super) incoming: Incoming,
    pub(super) reader: Option<Reader>,
    /// Whoever waits for it to be open or closed.
    pub(super) waiter: Option<Session>,
    /// `socket.limit`.
    pub(super) limit: Option<usize>,
    /// The script has paused it.
    pub(super) paused: bool,
    /// Too much waits to be read.
    pub(super) flooded: bool,
    /// That has been logged.
    pub(super) flood_logged: bool,
    /// Written before it was connected.
    pub(super) early: Vec<u8>,
    /// The peer will send no more.
    pub(super) eof: bool,
    pub(super) failure: Option<Box<str>>,
    /// That has been logged.
    pub(super) failure_logged: bool,
    /// The address that its policy refused.
    pub(super) refused: Option<SocketAddr>,
    /// The owner wants a message when it closes, and has had it.
    pub(super) tells_close: bool,
    pub(super) told_close: bool,
    /// A reader has waited for the owner to handle that message.
    pub(super) waited_for_close: bool,
    /// A consumer or a filter stands in the way of what arrives.
    pub(super) diverted: bool,
}

/// One socket.
pub struct Socket {
    pub(super) id: SocketId,
    pub(super) node: Arc<Node>,
    pub(super) sockets: Weak<Sockets>,
    pub(super) link: OnceLock<Link>,
    pub(super) state: Mutex<State>,
    pub(super) inbound: Mutex<Inbound>,
    /// The filter of what is written and read, see `inbound.rs`.
    pub(super) filter: Mutex<Option<Arc<dyn Filter>>>,
    pub(super) is_filtered: AtomicBool,
    /// Bytes waiting to be sent at which the next warning is due; 0 before the first.
    pub(super) warn_at: AtomicUsize,
    pub(super) read_at: LastStamp,
    pub(super) wrote_at: LastStamp,
}

impl Socket {
    pub(super) fn new(
        sockets: &Arc<Sockets>,
        node: &Arc<Node>,
        id: SocketId,
        owner: Owner,
        mode: Mode,
        phase: Phase,
    ) -> Self {
        Self {
            id,
            node: Arc::clone(node),
            sockets: Arc::downgrade(sockets),
            link: OnceLock::new(),
            state: Mutex::new(State {
                phase,
                mode,
                owner: Some(owner),
                incoming: Incoming::default(),
                reader: None,
                waiter: None,
                limit: None,
                paused: false,
                flooded: false,
                flood_logged: false,
                early: Vec::new(),
                eof: false,
                failure: None,
                failure_logged: false,
                refused: None,
                tells_close: false,
                told_close: false,
                waited_for_close: false,
                diverted: false,
            }),
            inbound: Mutex::default(),
            filter: Mutex::default(),
            is_filtered: AtomicBool::new(false),
            warn_at: AtomicUsize::new(0),
            read_at: LastStamp::default(),
            wrote_at: LastStamp::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its number.
    pub const fn id(&self) -> SocketId {
        self.id
    }

    pub(super) fn stream(&self) -> Option<&Arc<Stream>> {
        match self.link.get()? {
            Link::Tcp(stream) => Some(stream),
            _ => None,
        }
    }

    /// Where the peer is, once it is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.link.get()? {
            Link::Tcp(stream) => Some(stream.peer()),
            Link::Udp(udp) => udp.target(),
            Link::Listener(_) | Link::Bound(_) => None,
        }
    }

    /// Where this side is.
    pub fn local(&self) -> Option<SocketAddr> {
        match self.link.get()? {
            Link::Tcp(stream) => Some(stream.local()),
            Link::Udp(udp) => udp.local(),
            Link::Listener(listener) => Some(listener.local()),
            Link::Bound(_) => None,
        }
    }

    /// True for one that accepts connections.
    pub fn is_listener(&self) -> bool {
        matches!(self.link.get(), Some(Link::Listener(_)))
    }

    /// True for one of datagrams.
    pub fn is_udp(&self) -> bool {
        matches!(self.link.get(), Some(Link::Udp(_)))
    }

    /// True while it is open in both directions and started.
    pub fn is_connected(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Open && !state.eof && state.failure.is_none()
    }

    /// True once its own side has closed it, or it is gone.
    pub fn is_closing(&self) -> bool {
        matches!(self.lock().phase, Phase::Closing | Phase::Ended)
    }

    /// True once it is gone.
    pub fn has_ended(&self) -> bool {
        self.lock().phase == Phase::Ended
    }

    /// True while it is being opened.
    pub fn is_connecting(&self) -> bool {
        self.lock().phase == Phase::Connecting
    }

    /// Why it broke or could not be opened.
    pub fn failure(&self) -> Option<Box<str>> {
        self.lock().failure.clone()
    }

    /// The address that its policy refused when it was opened.
    pub fn refused(&self) -> Option<SocketAddr> {
        self.lock().refused
    }

    /// Gives the socket to `owner`, who from now on gets what arrives, in the way of `mode`.
    /// What has arrived already is its as well.
    ///
    /// # Errors
    /// When it is closed, or the owner has as many sockets as it may.
    pub fn start(self: &Arc<Self>, owner: Owner, mode: Mode) -> Result<(), StartError> {
        let (text, unread) = {
            let mut state = self.lock();
            if state.phase != Phase::Open || state.eof && state.incoming.is_empty() {
                return Err(StartError::Closed);
            }
            self.change_owner(&mut state, owner)?;
            let text = if state.mode == Mode::Idle { "start" } else { "transfer" };
            state.mode = mode;
            state.paused = false;
            state.flooded = false;
            let mut unread = Vec::new();
            if mode == Mode::Raw {
                state.incoming.take_all(&mut unread);
            }
            (text, unread)
        };
        if mode == Mode::Raw {
            self.tell(&Event::Connect { port: 0, text: text.as_bytes() });
            if !unread.is_empty() {
                self.tell(&Event::Data(&unread));
            }
            if self.lock().eof {
                self.tell_close();
            }
        }
        self.resume_link();
        Ok(())
    }

    /// Tells the owner that it is in use, as `start` does.
    pub fn tell_started(&self) {
        self.tell(&Event::Connect { port: 0, text: b"start" });
    }

    /// Counts the socket with its new owner. All of it under the lock, so that it is counted out
    /// with the owner that it was counted in with.
    fn change_owner(&self, state: &mut State, owner: Owner) -> Result<(), StartError> {
        let before = state.owner.as_ref().map(|owner| owner.service.handle);
        if before != Some(owner.service.handle) {
            let Some(sockets) = self.sockets.upgrade() else { return Err(StartError::Closed) };
            sockets.count_in(&owner).map_err(StartError::TooMany)?;
            if let Some(before) = before {
                sockets.count_out(before);
            }
        }
        state.owner = Some(owner);
        Ok(())
    }

    /// Lets go of it, so that another service can start it; what is unread stays for that one.
    /// Whoever reads it is told that it is closed.
    pub fn abandon(&self) {
        let reader = {
            let mut state = self.lock();
            state.mode = Mode::Idle;
            state.tells_close = false;
            state.waiter = None;
            let owner = state.owner.clone();
            state.reader.take().filter(|reader| !reader.woken).zip(owner)
        };
        self.pause_link();
        if let Some((reader, owner)) = reader {
            self.answer(&owner.service, reader.session);
        }
    }

    /// Takes nothing from the peer until somebody waits for it or starts it again. False when
    /// that was so already.
    pub fn pause(&self) -> bool {
        let before = std::mem::replace(&mut self.lock().paused, true);
        self.pause_link();
        !before
    }

    pub(super) fn pause_link(&self) {
        match self.link.get() {
            Some(Link::Tcp(stream)) => stream.pause(),
            Some(Link::Bound(bound)) => bound.pause(),
            Some(Link::Udp(_) | Link::Listener(_)) | None => {}
        }
    }

    pub(super) fn resume_link(self: &Arc<Self>) {
        match self.link.get() {
            Some(Link::Tcp(stream)) => stream.resume(),
            Some(Link::Bound(bound)) => bound.resume(),
            Some(Link::Listener(listener)) => listener.start(self),
            Some(Link::Udp(_)) | None => {}
        }
    }

    /// Small writes go out at once.
    pub fn set_nodelay(&self) {
        if let Some(stream) = self.stream() {
            stream.set_nodelay();
        }
    }

    /// Bounds the unread bytes while nobody waits for a number of them (`socket.limit`).
    pub fn set_limit(&self, limit: Option<usize>) {
        self.lock().limit = limit;
    }

    /// Lets the owner have a message when the socket closes.
    pub fn tell_of_close(&self) {
        self.lock().tells_close = true;
    }

    pub(super) fn note_read(&self) {
        self.read_at.set(self.node.stamps.now());
    }

    pub(super) fn note_write(&self) {
        self.wrote_at.set(self.node.stamps.now());
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "socket {}", self.id.0)
    }
}
