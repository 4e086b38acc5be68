//! One connection: its phases, its queue of events, and what may be written.
//!
//! Invariant: frames leave in the order in which they were made, and none follows a close frame:
//! `state` is held while a frame is made and given to the transport. Whoever waits is woken after
//! it is released.
//! Lock order: those of the transport that are held when it calls, then `state`, then those that
//! the transport takes for a write.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::deadlines::Deadlines;
use super::engine::{Engine, Progress};
use super::event::{Closed, Event, How, Kind};
use super::frame::{self, Mask};
use super::handshake::{client, server};
use super::limits::Limits;
use super::{Role, close};
use crate::kernel::{Handle, Session};
use crate::net::Ended;

/// Bytes of events that nobody has taken above which the peer is held up.
const HIGH_WATER: usize = 128 << 10;

/// How long the peer may take nothing of what is left when the connection is over.
const LINGER: Duration = Duration::from_secs(10);

/// How long a peer that was told of its fault may go on before the connection is cut: it would
/// lose the close frame if it were cut at once.
const DRAIN: Duration = Duration::from_secs(1);

/// Longest payload of a control frame.
pub const CONTROL: usize = 125;

/// A frame larger than this is made in a block of its own.
const SCRATCH: usize = 64 << 10;

thread_local! {
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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

    /// Takes bytes of the opening handshake, and the frames behind it.
    fn open(&self, state: &mut State, bytes: &[u8], end: bool) -> Option<Instant> {
        state.head.extend_from_slice(bytes);
        let head = std::mem::take(&mut state.head);
        let opened = match &state.phase {
            Phase::Offering(offer) => self.read_request(offer, &head, state.seen),
            Phase::Asking(asked) => client::read(asked, &head, state.seen, end)
                .map(|granted| {
                    granted.map(|granted| {
                        let client::Granted { headers, length } = granted;
                        (Event::Open { url: String::new(), headers }, length)
                    })
                })
                .map_err(|(status, reason)| Closed { how: How::Refused, code: status, reason }),
            _ => return None,
        };
        match opened {
            Ok(None) => {
                state.seen = head.len();
                state.head = head;
                None
            }
            Ok(Some((event, length))) => {
                state.events.push_back(event);
                state.phase = Phase::Open;
                state.since = self.deadlines.now();
                let next = state.deadline(&self.limits);
                if head.len() > length {
                    self.receive(state, &head[length..]).or(next)
                } else {
                    next
                }
            }
            Err(closed) => {
                state.finish(closed);
                // The other side may still be sending; it would lose the answer if it were cut.
                self.enter(state, Phase::Draining(DRAIN))
            }
        }
    }

    /// Reads and answers the request.
    fn read_request(
        &self,
        offer: &server::Offer,
        head: &[u8],
        seen: usize,
    ) -> Result<Option<(Event, usize)>, Closed> {
        let answered = server::read(head, seen).and_then(|read| {
            let Some((request, length)) = read else { return Ok(None) };
            let answer = server::grant(&request, offer)?;
            Ok(Some((answer, request, length)))
        });
        match answered {
            Ok(None) => Ok(None),
            Ok(Some((answer, request, length))) => {
                let _ = self.transport.write(&answer);
                let server::Request { url, headers, .. } = request;
                Ok(Some((Event::Open { url, headers }, length)))
            }
            Err(refusal) => {
                let _ = self.transport.write(&refusal.response());
                let server::Refusal { status, reason } = refusal;
                Err(Closed { how: How::Refused, code: Some(status), reason })
            }
        }
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

    /// Sends a whole message.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn send(&self, kind: Kind, payload: &[u8], mask: Option<Mask>) -> Result<usize, SendError> {
        self.send_part(Some(kind), true, payload, mask)
    }

    /// Sends a part of a message: its first has a kind, its last is marked.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn send_part(
        &self,
        kind: Option<Kind>,
        last: bool,
        payload: &[u8],
        mask: Option<Mask>,
    ) -> Result<usize, SendError> {
        let mut state = self.lock();
        let opcode = match (kind, state.fragmented) {
            (Some(_), true) => {
                return Err(SendError::Illegal("the parts of another message are being sent"));
            }
            (None, false) => return Err(SendError::Illegal("there is no message to continue")),
            (Some(Kind::Text), false) => Data::Text,
            (Some(Kind::Binary), false) => Data::Binary,
            (None, true) => Data::Continue,
        };
        let sent = self.write(&mut state, OpCode::Data(opcode), last, payload, mask);
        if sent.is_ok() {
            state.fragmented = !last;
        }
        self.release(state);
        sent
    }

    /// Sends a ping or, with `pong`, an unasked pong.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn ping(&self, payload: &[u8], pong: bool) -> Result<usize, SendError> {
        if payload.len() > CONTROL {
            return Err(SendError::Illegal("a ping or pong has at most 125 bytes"));
        }
        let mut state = self.lock();
        let opcode = OpCode::Control(if pong { Control::Pong } else { Control::Ping });
        let sent = self.write(&mut state, opcode, true, payload, None);
        self.release(state);
        sent
    }

    fn write(
        &self,
        state: &mut State,
        opcode: OpCode,
        last: bool,
        payload: &[u8],
        mask: Option<Mask>,
    ) -> Result<usize, SendError> {
        if !matches!(state.phase, Phase::Open) || !state.engine.can_write() {
            return Err(SendError::Closed);
        }
        let masks = self.role == Role::Client || self.mask_outgoing;
        let mask = match mask.or_else(|| if masks { frame::random_mask() } else { None }) {
            None if masks => return Err(SendError::Illegal("there are no random numbers")),
            mask => mask,
        };
        let queued = FRAME.with_borrow_mut(|frame| {
            frame.clear();
            frame::encode(frame, opcode, last, payload, mask);
            let queued = self.transport.write(frame);
            frame.shrink_to(SCRATCH);
            queued
        });
        // The end is reported when the transport tells of it.
        let queued = queued.map_err(|Ended| SendError::Closed)?;
        if queued > self.limits.write && queued > payload.len() + SCRATCH {
            let limit = self.limits.write;
            self.give_up(state, &format!("{queued} bytes wait for it, the limit is {limit}"));
            return Err(SendError::Slow(queued));
        }
        Ok(queued)
    }

    /// Cuts a peer off that does not read.
    fn give_up(&self, state: &mut State, why: &str) {
        state.finish(Closed::lost(format!("the peer is too slow: {why}")));
        state.phase = Phase::Ended;
        self.transport.close(Duration::ZERO);
    }

    /// Closes: sends a close frame, and the transport closes when it is answered, or not in time.
    /// Does nothing when it is closed or closing.
    ///
    /// # Errors
    /// When a frame must not have this code.
    pub fn close(&self, code: Option<u16>, reason: &str) -> Result<(), SendError> {
        if code.is_some_and(|code| !close::is_sendable(code)) {
            return Err(SendError::Illegal("no close frame has this code"));
        }
        let mut state = self.lock();
        match state.phase {
            Phase::Open => {
                let mut output = Vec::new();
                state.engine.close(code, reason, &mut output);
                let _ = self.transport.write(&output);
                // What has not been taken is nobody's any more; how it was opened still is.
                state.events.retain(|event| matches!(event, Event::Open { .. }));
                state.queued = 0;
                let at = self.enter(&mut state, Phase::Closing);
                self.watch(at);
            }
            Phase::Offering(_) | Phase::Asking(_) => {
                let reason = "websocket handshake: closed before it was done".to_owned();
                state.finish(Closed { how: How::Refused, code: None, reason });
                state.phase = Phase::Ended;
                self.transport.close(Duration::ZERO);
            }
            Phase::Closing | Phase::Draining(_) | Phase::Ended => {}
        }
        self.release(state);
        Ok(())
    }

    /// True while messages can be sent.
    pub fn is_open(&self) -> bool {
        let state = self.lock();
        matches!(state.phase, Phase::Open) && state.engine.can_write()
    }

    /// Does what is due at `now`; when to look again.
    pub(super) fn check(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let due = state.deadline(&self.limits)?;
        if due > now {
            return Some(due);
        }
        let next = self.overdue(&mut state, now);
        self.release(state);
        next
    }

    fn overdue(&self, state: &mut State, now: Instant) -> Option<Instant> {
        match state.phase {
            Phase::Offering(_) => {
                let limit = self.limits.handshake;
                let reason = format!("no opening handshake within {} s", limit.as_secs_f64());
                let refusal = server::Refusal::new(408, reason);
                let _ = self.transport.write(&refusal.response());
                let server::Refusal { status, reason } = refusal;
                state.finish(Closed { how: How::Refused, code: Some(status), reason });
                self.transport.close(LINGER);
            }
            Phase::Asking(_) => {
                let limit = self.limits.handshake.as_secs_f64();
                let reason = format!("websocket handshake: no answer within {limit} s");
                state.finish(Closed { how: How::Refused, code: None, reason });
                self.transport.close(Duration::ZERO);
            }
            Phase::Open if state.paused => {
                // It is not heard because it is held up.
                state.heard = now;
                return state.deadline(&self.limits);
            }
            Phase::Open if state.pinged => {
                let limit = self.limits.ping.as_secs_f64();
                state.finish(Closed::lost(format!("no answer to a ping within {limit} s")));
                self.transport.close(Duration::ZERO);
            }
            Phase::Open => {
                let _ = self.write(state, OpCode::Control(Control::Ping), true, b"", None);
                state.pinged = true;
                state.heard = now;
                return state.deadline(&self.limits);
            }
            Phase::Closing => {
                let limit = self.limits.close.as_secs_f64();
                let reason = format!("no answer to the close frame within {limit} s");
                state.finish(Closed::lost(reason));
                self.transport.close(Duration::ZERO);
            }
            Phase::Draining(_) => self.transport.close(LINGER),
            Phase::Ended => {}
        }
        state.phase = Phase::Ended;
        None
    }
}

impl State {
    /// When to look at it next.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.phase {
            Phase::Offering(_) | Phase::Asking(_) => Some(self.since + limits.handshake),
            Phase::Open if limits.ping.is_zero() => None,
            Phase::Open => Some(self.heard + limits.ping),
            Phase::Closing => Some(self.since + limits.close),
            Phase::Draining(limit) => Some(self.since + limit),
            Phase::Ended => None,
        }
    }

    /// Reports the end, unless that was done.
    fn finish(&mut self, closed: Closed) {
        if !std::mem::replace(&mut self.closed, true) {
            self.events.push_back(Event::Closed(closed));
        }
    }
}
