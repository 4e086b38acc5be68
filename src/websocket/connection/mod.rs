//! One connection: its phases, its queue of events, and what may be written.
//!
//! Invariant: frames leave in the order in which they were made, and none follows a close frame:
//! `state` is held while a frame is made and given to the transport. Whoever waits is woken after
//! it is released.
//! Lock order: those of the transport that are held when it calls, then `state`, then those that
//! the transport takes for a write.

mod opening;
mod sending;
mod times;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Role;
use super::deadlines::Deadlines;
use super::engine::{Engine, Progress};
use super::event::{Closed, Event, How};
use super::handshake::{client, server};
use super::limits::Limits;
use crate::kernel::{Handle, Session};
use crate::net::Ended;

/// Bytes of events that nobody has taken above which the peer is held up.
const HIGH_WATER: usize = 128 << 10;

/// How long the peer may take nothing of what is left when the connection is over.
const LINGER: Duration = Duration::from_secs(10);

/// How long a peer that was told of its fault may go on before the connection is cut: it would
/// lose the close frame if it were cut at once.
const DRAIN: Duration = Duration::from_secs(1);

/// What carries the bytes.
pub trait Transport: Send + Sync {
    /// Writes without blocking, in the order of the calls; answers how many bytes wait.
    ///
    /// # Errors
    /// When it is closed.
    fn write(&self, bytes: &[u8]) -> Result<usize, Ended>;

    /// Closes it when what waits is written, or the peer takes nothing for `linger`.
    fn close(&self, linger: Duration);

    /// Takes nothing from the peer for now.
    fn pause(&self);

    /// Goes on.
    fn resume(&self);
}

/// Who is told that an event is there.
pub trait Wake: Send + Sync {
    /// Answers `session` of `service`.
    fn wake(&self, service: Handle, session: Session);
}

/// What a connection is made of.
pub struct Parts {
    /// What carries its bytes.
    pub transport: Arc<dyn Transport>,
    /// Who is told.
    pub wake: Arc<dyn Wake>,
    /// Who looks at its time limits.
    pub deadlines: Arc<Deadlines>,
    /// Its limits.
    pub limits: Limits,
    /// Frames of a server are masked, which the protocol does not want.
    pub mask_outgoing: bool,
}

/// How the opening handshake is done.
pub enum Opening {
    /// The request is awaited.
    Server(server::Offer),
    /// The request has been read by somebody else and is to be granted with these bytes.
    Granted {
        /// The answer.
        answer: Vec<u8>,
        /// The request.
        request: server::Request,
    },
    /// This request is to be sent.
    Client(Vec<u8>, client::Asked),
}

enum Phase {
    Offering(server::Offer),
    Asking(client::Asked),
    Open,
    /// Our close frame is out, the answer is awaited.
    Closing,
    /// Everything is said; the peer closes, or is cut off then.
    Draining(Duration),
    Ended,
}

struct State {
    phase: Phase,
    engine: Engine,
    /// Bytes of the opening handshake, and how many of them were looked at.
    head: Vec<u8>,
    seen: usize,
    events: VecDeque<Event>,
    queued: usize,
    paused: bool,
    waiter: Option<(Handle, Session)>,
    /// The last event is among the events, or was taken.
    closed: bool,
    /// When the phase began, and when the peer was last heard.
    since: Instant,
    heard: Instant,
    pinged: bool,
    /// A message of ours has begun and not ended.
    fragmented: bool,
}

/// What became of asking for an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// It is this one.
    Event(Event),
    /// The session will be answered when there is one.
    Wait,
    /// Somebody waits already.
    Busy,
    /// The last one was taken before.
    Over,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The connection is not open, or is being closed.
    Closed,
    /// What waits for the peer is over the limit; the connection is given up.
    Slow(usize),
    /// The frame would break the protocol.
    Illegal(&'static str),
}

/// One connection.
pub struct Connection {
    role: Role,
    limits: Limits,
    mask_outgoing: bool,
    transport: Arc<dyn Transport>,
    wake: Arc<dyn Wake>,
    deadlines: Arc<Deadlines>,
    itself: Weak<Connection>,
    /// Boxed, since an entry of `deadlines` may outlive it and keeps the rest of the memory.
    state: Mutex<Box<State>>,
}

impl Connection {
    /// A connection whose opening handshake begins now. The caller feeds it from now on.
    pub fn new(parts: Parts, opening: Opening) -> Arc<Self> {
        let role = match opening {
            Opening::Client(..) => Role::Client,
            Opening::Server(_) | Opening::Granted { .. } => Role::Server,
        };
        let Parts { transport, wake, deadlines, limits, mask_outgoing } = parts;
        let now = deadlines.now();
        let mut events = VecDeque::new();
        let mut first = Vec::new();
        let phase = match opening {
            Opening::Server(offer) => Phase::Offering(offer),
            Opening::Client(request, asked) => {
                first = request;
                Phase::Asking(asked)
            }
            Opening::Granted { answer, request } => {
                first = answer;
                events.push_back(Event::Open { url: request.url, headers: request.headers });
                Phase::Open
            }
        };
        let state = Box::new(State {
            phase,
            engine: Engine::new(role, &limits, mask_outgoing),
            head: Vec::new(),
            seen: 0,
            events,
            queued: 0,
            paused: false,
            waiter: None,
            closed: false,
            since: now,
            heard: now,
            pinged: false,
            fragmented: false,
        });
        let connection = Arc::new_cyclic(|itself| Self {
            role,
            limits,
            mask_outgoing,
            transport,
            wake,
            deadlines,
            itself: Weak::clone(itself),
            state: Mutex::new(state),
        });
        if !first.is_empty() {
            // When it is closed already, its end is reported.
            let _ = connection.transport.write(&first);
        }
        let at = connection.lock().deadline(&limits);
        connection.watch(at);
        connection
    }

    fn lock(&self) -> MutexGuard<'_, Box<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, at: Option<Instant>) {
        if let Some(at) = at {
            self.deadlines.watch(&self.itself, at);
        }
    }

    /// Releases the state and wakes whoever waits for what has happened.
    fn release(&self, mut state: MutexGuard<'_, Box<State>>) {
        let waiter = if state.events.is_empty() { None } else { state.waiter.take() };
        drop(state);
        if let Some((service, session)) = waiter {
            self.wake.wake(service, session);
        }
    }

    /// Takes bytes of the peer.
    pub fn feed(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.heard = self.deadlines.now();
        state.pinged = false;
        let rest = match state.phase {
            Phase::Open | Phase::Closing => self.receive(&mut state, bytes),
            Phase::Offering(_) | Phase::Asking(_) => self.open(&mut state, bytes, false),
            Phase::Draining(_) | Phase::Ended => None,
        };
        if let Some(rest) = rest {
            self.watch(Some(rest));
        }
        if state.queued > HIGH_WATER && !state.paused && matches!(state.phase, Phase::Open) {
            state.paused = true;
            self.transport.pause();
        }
        self.release(state);
    }

    /// Takes frames; a new deadline, if there is one.
    fn receive(&self, state: &mut State, bytes: &[u8]) -> Option<Instant> {
        let mut output = Vec::new();
        let State { engine, events, queued, closed, .. } = state;
        let is_open = matches!(state.phase, Phase::Open);
        let mut how = None;
        let progress = engine.receive(bytes, &mut output, |event| {
            if let Event::Closed(end) = &event {
                *closed = true;
                how = Some(end.how);
            } else if !is_open {
                // Whoever has closed wants no more of it.
                return;
            }
            *queued += event.size();
            events.push_back(event);
        });
        if !output.is_empty() {
            let queued = self.transport.write(&output);
            if queued.is_ok_and(|queued| queued > self.limits.write) {
                self.give_up(state, "it reads nothing, not even the answers to its pings");
                return None;
            }
        }
        if progress == Progress::Open {
            return None;
        }
        if how == Some(How::Clean) && self.role == Role::Server {
            state.phase = Phase::Ended;
            self.transport.close(LINGER);
            return None;
        }
        // The side that was connected to closes first; a peer that broke the protocol may have
        // more on the way, and would lose the close frame if it were not read.
        let limit = if how == Some(How::Clean) { self.limits.close } else { DRAIN };
        self.enter(state, Phase::Draining(limit))
    }

    fn enter(&self, state: &mut State, phase: Phase) -> Option<Instant> {
        state.phase = phase;
        state.since = self.deadlines.now();
        if state.paused {
            state.paused = false;
            self.transport.resume();
        }
        state.deadline(&self.limits)
    }

    /// The transport is closed; `why` says how.
    pub fn ended(&self, why: &str) {
        let mut state = self.lock();
        match state.phase {
            Phase::Asking(_) => {
                self.open(&mut state, &[], true);
            }
            Phase::Offering(_) => state.finish(Closed {
                how: How::Refused,
                code: None,
                reason: format!("websocket handshake: {why}"),
            }),
            _ => {}
        }
        let reason = match state.phase {
            Phase::Closing => format!("{why}, without an answer to the close frame"),
            _ => format!("{why}, without a close frame"),
        };
        state.finish(Closed::lost(reason));
        state.phase = Phase::Ended;
        self.release(state);
    }

    /// The next event; without one, `waiter` is answered when there is.
    pub fn next(&self, waiter: Option<(Handle, Session)>) -> Next {
        let mut state = self.lock();
        if let Some(event) = state.events.pop_front() {
            state.queued = state.queued.saturating_sub(event.size());
            if state.paused && state.queued < HIGH_WATER / 2 {
                state.paused = false;
                self.transport.resume();
            }
            return Next::Event(event);
        }
        if state.closed {
            return Next::Over;
        }
        if waiter.is_some() {
            if state.waiter.is_some() {
                return Next::Busy;
            }
            state.waiter = waiter;
        }
        Next::Wait
    }

    /// Forgets whoever waits under this session.
    pub fn forget_waiter(&self, session: Session) {
        self.lock().waiter.take_if(|(_, waiting)| *waiting == session);
    }

    /// True while messages can be sent.
    pub fn is_open(&self) -> bool {
        let state = self.lock();
        matches!(state.phase, Phase::Open) && state.engine.can_write()
    }
}

impl State {
    /// Reports the end, unless that was done.
    fn finish(&mut self, closed: Closed) {
        if !std::mem::replace(&mut self.closed, true) {
            self.events.push_back(Event::Closed(closed));
        }
    }
}
