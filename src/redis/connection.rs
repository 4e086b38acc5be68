//! The connection of one `redis.connect`: commands in, replies out, in order.
//!
//! Commands of a turn gather in a batch that goes out in one write at its end (`flush`). A lost
//! connection fails the calls in flight; the next call connects again. Nothing is sent twice.
//! Invariant: `waiting` has an entry for each command that was written or is in the batch, in that
//! order, until its replies are there; whoever takes an entry out answers it. The lock is above the
//! stream's, since commands have an order; nobody is answered while it is held.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::answer::{deliver, fail};
use super::database::{Database, Effects};
use super::overload::{Change, Overload};
use super::settings::Settings;
use super::wire::{self, Client, Refused};
use crate::kernel::{Node, Service, Session};
use crate::net::socket::Counted;
use crate::net::{Channel, Io};

/// Bytes from which on a batch is written before the turn ends.
const FULL: usize = 256 << 10;

/// Capacity of the batch that is kept between turns.
const KEPT: usize = 64 << 10;

/// Calls of a connection that wait at a time: beyond the coroutines that a service has by default.
const MOST_CALLS: usize = 1 << 20;

/// Time for the server to take the last commands when a connection is closed.
const LINGER: Duration = Duration::from_secs(2);

/// Why a call was not taken up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The connection was closed by its owner.
    Closed,
    /// So many bytes wait to be written, and no more than these may.
    Full(usize, usize),
    /// Too many calls wait.
    TooMany,
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the connection is closed"),
            Self::Full(bytes, limit) => write!(
                formatter,
                "{bytes} bytes wait to be sent, the limit is {limit} (config: socket_send_limit)"
            ),
            Self::TooMany => write!(formatter, "{MOST_CALLS} calls wait, which is the limit"),
        }
    }
}

/// What a call has to say for itself.
#[derive(Debug)]
pub struct Call {
    /// Who waits.
    pub session: Session,
    /// How many replies answer it.
    pub replies: u32,
    /// What its commands do to the database in use.
    pub effects: Effects,
}

enum Phase {
    /// No connection, and nobody needs one.
    Idle,
    Connecting,
    Up(Channel),
    /// The owner needs it no more.
    Closed,
}

/// Whose turn it is when the next reply comes.
struct Waiting {
    /// `Session::NONE` when nobody waits any more.
    session: Session,
    /// Replies still to come.
    replies: u32,
    until: Option<Instant>,
    /// Replies that have come.
    got: Vec<u8>,
    effects: Effects,
}

struct State {
    phase: Phase,
    /// Number of the newest attempt to connect.
    attempt: u64,
    batch: Vec<u8>,
    waiting: VecDeque<Waiting>,
    /// How many of `waiting`, at its end, have their commands in the batch.
    unwritten: usize,
    /// Those who wait for the connection itself.
    opening: Vec<Session>,
    database: Database,
    overload: Overload,
}

/// The connection of one `redis.connect`.
pub struct Connection {
    node: Arc<Node>,
    service: Arc<Service>,
    io: Arc<Io>,
    settings: Settings,
    name: Box<str>,
    state: Mutex<State>,
    /// A call that has a time limit waits.
    limited: Notify,
    _counted: Counted,
}

impl Connection {
    /// A connection that nobody has asked for yet, of a service that it `counted` for.
    pub fn new(
        node: &Arc<Node>,
        service: &Arc<Service>,
        io: &Arc<Io>,
        settings: Settings,
        counted: Counted,
    ) -> Arc<Self> {
        Arc::new(Self {
            node: Arc::clone(node),
            service: Arc::clone(service),
            io: Arc::clone(io),
            name: settings.place.name().into(),
            state: Mutex::new(State {
                phase: Phase::Idle,
                attempt: 0,
                batch: Vec::new(),
                waiting: VecDeque::new(),
                unwritten: 0,
                opening: Vec::new(),
                database: Database::new(settings.login.db.clone()),
                overload: Overload::default(),
            }),
            settings,
            limited: Notify::new(),
            _counted: counted,
        })
    }

    /// How errors call the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects; `session` is answered when the connection is there, or has failed.
    pub fn open(self: &Arc<Self>, session: Session) {
        let attempt = {
            let mut state = self.lock();
            match state.phase {
                Phase::Up(_) => None,
                Phase::Idle | Phase::Connecting => {
                    state.opening.push(session);
                    Some(state.begin())
                }
                Phase::Closed => {
                    drop(state);
                    let why = CallError::Closed.to_string();
                    return fail(&self.node, &self.service, session, &why);
                }
            }
        };
        match attempt {
            None => deliver(&self.node, &self.service, session, Cow::Borrowed(OPENED)),
            Some(attempt) => self.connect(attempt),
        }
    }

    /// Takes a call up; `write` appends its command. True when `flush` has to be called at the end
    /// of the turn.
    ///
    /// # Errors
    /// When it is not taken up; then nobody is answered.
    pub fn call(
        self: &Arc<Self>,
        call: Call,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<bool, CallError> {
        let limit = self.settings.command_limit;
        let (attempt, first) = {
            let mut state = self.lock();
            let queued = match &state.phase {
                Phase::Closed => return Err(CallError::Closed),
                // The queue of the socket is looked at when much has been written.
                Phase::Up(channel) if state.overload.is_watched() => channel.queued(),
                _ => 0,
            };
            let bytes = state.batch.len() + queued;
            if bytes > self.settings.send_limit {
                return Err(CallError::Full(bytes, self.settings.send_limit));
            }
            if state.waiting.len() >= MOST_CALLS {
                return Err(CallError::TooMany);
            }
            let first = state.batch.is_empty();
            write(&mut state.batch);
            let Call { session, replies, effects } = call;
            let until = limit.map(|limit| Instant::now() + limit);
            if limit.is_some() {
                self.limited.notify_one();
            }
            state.waiting.push_back(Waiting { session, replies, until, got: Vec::new(), effects });
            state.unwritten += 1;
            match state.phase {
                Phase::Idle => (Some(state.begin()), false),
                Phase::Up(_) if state.batch.len() >= FULL => {
                    let change = state.flush();
                    drop(state);
                    self.tell(change);
                    (None, false)
                }
                Phase::Up(_) => (None, first),
                Phase::Connecting | Phase::Closed => (None, false),
            }
        };
        if let Some(attempt) = attempt {
            self.connect(attempt);
        }
        Ok(first)
    }

    /// Writes the commands of the batch.
    pub fn flush(&self) {
        let change = self.lock().flush();
        self.tell(change);
    }

    /// Closes the connection for good; what waits for a reply fails.
    pub fn close(&self) {
        let (waiting, opening, change) = {
            let mut state = self.lock();
            let noted = state.flush();
            if let Phase::Up(channel) = std::mem::replace(&mut state.phase, Phase::Closed) {
                channel.close(LINGER);
            }
            state.batch = Vec::new();
            state.unwritten = 0;
            // Only one waits: whoever the last write tells something is told the end when it asks.
            let change = noted.or(state.overload.close());
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.opening), change)
        };
        self.fail_all(waiting, opening, "the connection was closed");
        self.tell(change);
    }

    /// Waits under `session` until the server begins or ceases to take less than it is sent. The
    /// answer is an integer: 1 or 0, or nil at the end.
    pub fn watch_overload(&self, session: Session) {
        let change = self.lock().overload.wait(session);
        self.tell(change);
    }

    fn tell(&self, change: Option<Change>) {
        if let Some(Change { session, reply }) = change {
            deliver(&self.node, &self.service, session, Cow::Borrowed(reply));
        }
    }

    /// Starts the attempt with this number, if it is one.
    fn connect(self: &Arc<Self>, attempt: u64) {
        if attempt == 0 {
            return;
        }
        if let Err(error) = self.io.spawn(wire::run(Arc::clone(self), attempt)) {
            let why = format!("the I/O cannot start ({error})");
            Client::on_down(Arc::clone(self), attempt, false, why);
        }
    }

    fn fail_all(&self, waiting: VecDeque<Waiting>, opening: Vec<Session>, why: &str) {
        let calls = waiting.iter().map(|call| call.session);
        for session in opening.into_iter().chain(calls).filter(|s| s.expects_answer()) {
            fail(&self.node, &self.service, session, why);
        }
    }

    /// Fails the calls whose time is over; when the next one's is.
    fn fail_late(&self, now: Instant) -> Option<Instant> {
        let mut late = Vec::new();
        let next = {
            let mut state = self.lock();
            let mut next = None;
            // Those that failed before and still have no reply are the first.
            let failed = state.waiting.partition_point(|call| !call.session.expects_answer());
            for call in state.waiting.range_mut(failed..) {
                // They came in order, all with the same limit.
                if call.until.is_none_or(|until| until > now) {
                    next = call.until;
                    break;
                }
                late.push(std::mem::take(&mut call.session));
            }
            next
        };
        let limit = self.settings.command_limit.unwrap_or_default();
        let why = format!("no reply within {limit:?} (command_timeout)");
        for session in late {
            fail(&self.node, &self.service, session, &why);
        }
        next
    }
}

/// The answer of a connection that is there.
const OPENED: &[u8] = b"+OK\r\n";

impl State {
    /// The number of a new attempt; 0 while one is under way.
    fn begin(&mut self) -> u64 {
        if matches!(self.phase, Phase::Connecting) {
            return 0;
        }
        self.phase = Phase::Connecting;
        self.database.lose_transaction();
        self.attempt += 1;
        self.attempt
    }

    fn flush(&mut self) -> Option<Change> {
        let Phase::Up(channel) = &self.phase else { return None };
        if self.batch.is_empty() {
            return None;
        }
        // Of an end the connection's task tells everybody.
        let queued = channel.write(&self.batch).unwrap_or(0);
        self.unwritten = 0;
        self.batch.clear();
        self.batch.shrink_to(KEPT);
        self.overload.note(queued)
    }

    /// Takes out the calls that replies answer: their sessions, and where their replies are or what
    /// they are. False when there are more replies than were asked for.
    fn take(&mut self, bytes: &[u8], ends: &[usize]) -> (Vec<(Session, Reply)>, bool) {
        let mut answered = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            let asked = self.waiting.len() > self.unwritten;
            let Some(call) = self.waiting.front_mut().filter(|_| asked) else {
                return (answered, false);
            };
            call.replies -= 1;
            let reply = &bytes[start..*end];
            self.database.note(call.effects.take(call.replies), reply);
            if call.replies > 0 {
                call.got.extend_from_slice(reply);
            } else if let Some(call) = self.waiting.pop_front() {
                if !call.session.expects_answer() {
                    // It was over its time.
                } else if call.got.is_empty() {
                    answered.push((call.session, Reply::At(start, *end)));
                } else {
                    let mut got = call.got;
                    got.extend_from_slice(reply);
                    answered.push((call.session, Reply::Whole(got)));
                }
            }
            start = *end;
        }
        (answered, true)
    }
}

/// Where the replies to a call are.
enum Reply {
    At(usize, usize),
    Whole(Vec<u8>),
}

impl Client for Connection {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn hello(&self) -> Vec<(&'static str, Vec<u8>)> {
        let state = self.lock();
        self.settings.login.commands(state.database.selected())
    }

    fn on_up(&self, attempt: u64, channel: Channel) {
        let (opening, change) = {
            let mut state = self.lock();
            if state.attempt != attempt || !matches!(state.phase, Phase::Connecting) {
                return channel.abort();
            }
            state.phase = Phase::Up(channel);
            let change = state.flush();
            (std::mem::take(&mut state.opening), change)
        };
        for session in opening {
            deliver(&self.node, &self.service, session, Cow::Borrowed(OPENED));
        }
        self.tell(change);
    }

    fn on_replies(
        &self,
        attempt: u64,
        bytes: Cow<'_, [u8]>,
        ends: &[usize],
    ) -> Result<(), Refused> {
        let (answered, good) = {
            let mut state = self.lock();
            if state.attempt != attempt {
                return Ok(());
            }
            state.take(&bytes, ends)
        };
        let judged = wire::judge(&self.settings, good, &bytes, ends);
        let mut bytes = bytes;
        for (session, reply) in answered {
            let reply = match reply {
                Reply::Whole(bytes) => Cow::Owned(bytes),
                // A long reply that came alone is not copied.
                Reply::At(0, end) if end == bytes.len() => std::mem::take(&mut bytes),
                Reply::At(start, end) => Cow::Borrowed(&bytes[start..end]),
            };
            deliver(&self.node, &self.service, session, reply);
        }
        judged
    }

    fn on_written(&self, left: usize) {
        let change = self.lock().overload.note(left);
        self.tell(change);
    }

    fn on_down(self: Arc<Self>, attempt: u64, was_up: bool, why: String) {
        let (failed, opening, again, change) = {
            let mut state = self.lock();
            if state.attempt != attempt || matches!(state.phase, Phase::Closed) {
                return;
            }
            state.phase = Phase::Idle;
            // What is still in the batch was not sent, and can be on the next connection.
            let kept = if was_up { state.unwritten } else { 0 };
            let sent = state.waiting.len() - kept;
            let failed: VecDeque<Waiting> = state.waiting.drain(..sent).collect();
            if !was_up {
                state.batch.clear();
                state.unwritten = 0;
            }
            let again = if kept > 0 { state.begin() } else { 0 };
            (failed, std::mem::take(&mut state.opening), again, state.overload.note(0))
        };
        let failure = if was_up {
            // The log has the cause before whoever called can go on.
            self.node.log(
                Some(self.service.handle),
                &format!(
                    "redis {}: connection lost ({why}); {} calls failed",
                    self.name,
                    failed.len()
                ),
            );
            format!("connection lost ({why})")
        } else {
            format!("cannot connect ({why})")
        };
        self.fail_all(failed, opening, &failure);
        self.tell(change);
        self.connect(again);
    }

    async fn watch_time(&self) {
        if self.settings.command_limit.is_none() {
            return std::future::pending().await;
        }
        loop {
            match self.fail_late(Instant::now()) {
                Some(next) => sleep_until(next).await,
                None => self.limited.notified().await,
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "connection with redis {}", self.name)
    }
}
