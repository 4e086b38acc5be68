//! The connection of one `redis.watch`: subscriptions in, messages out.
//!
//! Messages queue here until the script takes them. When it is slow the server is held up, and has
//! limits of its own for that. A lost connection is made again, with everything subscribed, until
//! the watch is closed.
//! Invariant: what is subscribed is what the script last asked for, whatever connections come and
//! go. The lock is above the stream's; nobody is answered while it is held.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::{deliver, fail};
use super::losses::{ENDED, LOST, Losses};
use super::settings::{Place, Settings};
use super::wire::{self, Client, Refused};
use crate::codec::resp::command::{begin, put_part};
use crate::codec::resp::reply::{Item, Reader};
use crate::kernel::{Kind, Message, Node, Service, Session};
use crate::net::socket::Counted;
use crate::net::{Address, Channel, Io};

/// Bytes of queued messages above which the server is held up.
const HIGH: usize = 4 << 20;

/// Bytes of queued messages below which it is let go on.
const LOW: usize = 1 << 20;

/// What a queued message takes beside its bytes, about.
const OVERHEAD: usize = 32;

/// Channels in one command when everything is subscribed again.
const AT_ONCE: usize = 1000;

/// Pause before the second attempt to connect again; it doubles with each further one. The first
/// follows the loss at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What to do with a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// SUBSCRIBE
    Subscribe,
    /// PSUBSCRIBE
    PatternSubscribe,
    /// UNSUBSCRIBE
    Unsubscribe,
    /// PUNSUBSCRIBE
    PatternUnsubscribe,
}

impl Verb {
    const fn command(self) -> &'static [u8] {
        match self {
            Self::Subscribe => b"SUBSCRIBE",
            Self::PatternSubscribe => b"PSUBSCRIBE",
            Self::Unsubscribe => b"UNSUBSCRIBE",
            Self::PatternUnsubscribe => b"PUNSUBSCRIBE",
        }
    }
}

/// Why a subscription was not taken up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchError {
    /// The watch is closed.
    Closed,
    /// The names of all channels together would be longer than this.
    TooMuch(usize),
}

impl fmt::Display for WatchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the watch is closed"),
            Self::TooMuch(limit) => write!(
                formatter,
                "the names of all channels have more than {limit} bytes (config: \
                 socket_send_limit)"
            ),
        }
    }
}

/// What comes next.
#[derive(PartialEq, Eq, Debug)]
pub enum Next {
    /// A message or an error, as the server wrote it.
    Reply(Vec<u8>),
    /// Nothing yet.
    Wait,
    /// Nothing ever again.
    Closed,
}

enum Phase {
    /// Between two attempts.
    Idle,
    Connecting,
    Up(Channel),
    Closed,
}

struct State {
    phase: Phase,
    /// Number of the newest attempt to connect.
    attempt: u64,
    /// The first attempt has succeeded, so that the watch connects again by itself.
    opened: bool,
    /// Attempts in a row that have failed.
    failures: u32,
    channels: BTreeSet<Box<[u8]>>,
    patterns: BTreeSet<Box<[u8]>>,
    /// Bytes of their names.
    names: usize,
    batch: Vec<u8>,
    queue: VecDeque<Vec<u8>>,
    /// Bytes in the queue.
    queued: usize,
    paused: bool,
    waiters: VecDeque<Session>,
    opening: Vec<Session>,
    losses: Losses,
}

/// The connection of one `redis.watch`.
pub struct Watch {
    node: Arc<Node>,
    service: Arc<Service>,
    io: Arc<Io>,
    settings: Settings,
    name: Box<str>,
    state: Mutex<State>,
    _counted: Counted,
}

impl Watch {
    /// A watch that is not connected yet, of a service that it `counted` for.
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
            settings,
            state: Mutex::new(State {
                phase: Phase::Idle,
                attempt: 0,
                opened: false,
                failures: 0,
                channels: BTreeSet::new(),
                patterns: BTreeSet::new(),
                names: 0,
                batch: Vec::new(),
                queue: VecDeque::new(),
                queued: 0,
                paused: false,
                waiters: VecDeque::new(),
                opening: Vec::new(),
                losses: Losses::default(),
            }),
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

    /// Connects for the first time; `session` is answered when the connection is there, or has
    /// failed, and with it the watch.
    pub fn open(self: &Arc<Self>, session: Session) {
        self.lock().opening.push(session);
        self.connect();
    }

    /// Begins an attempt to connect unless there is no need for one.
    fn connect(self: &Arc<Self>) {
        let attempt = {
            let mut state = self.lock();
            if !matches!(state.phase, Phase::Idle) {
                return;
            }
            state.phase = Phase::Connecting;
            state.attempt += 1;
            state.attempt
        };
        if let Err(error) = self.io.spawn(wire::run(Arc::clone(self), attempt)) {
            let why = format!("the I/O cannot start ({error})");
            Client::on_down(Arc::clone(self), attempt, false, why);
        }
    }

    /// Subscribes to a channel, or ends that. True when `flush` has to be called at the end of the
    /// turn.
    ///
    /// # Errors
    /// When nothing has changed.
    pub fn change(&self, verb: Verb, channel: &[u8]) -> Result<bool, WatchError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if matches!(state.phase, Phase::Closed) {
            return Err(WatchError::Closed);
        }
        let limit = self.settings.send_limit;
        let names = match verb {
            Verb::Subscribe | Verb::Unsubscribe => &mut state.channels,
            Verb::PatternSubscribe | Verb::PatternUnsubscribe => &mut state.patterns,
        };
        match verb {
            Verb::Subscribe | Verb::PatternSubscribe => {
                if state.names + channel.len() > limit || state.batch.len() > limit {
                    return Err(WatchError::TooMuch(limit));
                }
                if names.insert(channel.into()) {
                    state.names += channel.len() + OVERHEAD;
                }
            }
            Verb::Unsubscribe | Verb::PatternUnsubscribe => {
                if names.remove(channel) {
                    state.names -= channel.len() + OVERHEAD;
                }
            }
        }
        if !matches!(state.phase, Phase::Up(_)) {
            return Ok(false);
        }
        let first = state.batch.is_empty();
        begin(&mut state.batch, 2);
        put_part(&mut state.batch, verb.command());
        put_part(&mut state.batch, channel);
        Ok(first)
    }

    /// Writes what was subscribed in this turn.
    pub fn flush(&self) {
        let mut state = self.lock();
        if let Phase::Up(channel) = &state.phase {
            // Of an end the connection's task tells everybody.
            let _ = channel.write(&state.batch);
            state.batch = Vec::new();
        }
    }

    /// What comes next. While there is nothing, `session` is noted to be answered when there is.
    pub fn next(&self, session: Option<Session>) -> Next {
        let mut state = self.lock();
        if let Some(reply) = state.queue.pop_front() {
            state.queued -= reply.len() + OVERHEAD;
            if state.paused && state.queued < LOW {
                state.paused = false;
                if let Phase::Up(channel) = &state.phase {
                    channel.resume();
                }
            }
            return Next::Reply(reply);
        }
        if matches!(state.phase, Phase::Closed) {
            return Next::Closed;
        }
        state.waiters.extend(session);
        Next::Wait
    }

    /// Whoever waits under `session` does so no more.
    pub fn forget(&self, session: Session) {
        self.lock().waiters.retain(|other| *other != session);
    }

    /// Waits under `session` until the connection is lost, or could not be made again. The answer is
    /// the integer 1, or nil at the end.
    pub fn wait_for_loss(&self, session: Session) {
        let answer = self.lock().losses.wait(session);
        if let Some(answer) = answer {
            self.tell([session], answer);
        }
    }

    fn tell(&self, sessions: impl IntoIterator<Item = Session>, answer: &'static [u8]) {
        for session in sessions {
            deliver(&self.node, &self.service, session, Cow::Borrowed(answer));
        }
    }

    /// Where the server can be is known anew, if the watch was given several.
    pub fn renew_hosts(&self, servers: Vec<Address>) {
        if let Place::Found(found) = &self.settings.place {
            found.0.renew(servers);
        }
    }

    /// Closes the watch for good.
    pub fn close(&self) {
        let (waiters, opening, losses) = {
            let mut state = self.lock();
            if let Phase::Up(channel) = std::mem::replace(&mut state.phase, Phase::Closed) {
                channel.close(Duration::ZERO);
            }
            state.queue.clear();
            state.queued = 0;
            let losses = state.losses.close();
            (std::mem::take(&mut state.waiters), std::mem::take(&mut state.opening), losses)
        };
        self.tell(losses, ENDED);
        let why = WatchError::Closed.to_string();
        opening.into_iter().for_each(|session| fail(&self.node, &self.service, session, &why));
        self.wake(waiters);
    }

    fn wake(&self, sessions: impl IntoIterator<Item = Session>) {
        for session in sessions {
            let answer = Message::empty(None, session, Kind::RESPONSE);
            let _ = self.node.send(&self.service, answer);
        }
    }

    fn log(&self, text: &str) {
        self.node.log(Some(self.service.handle), &format!("redis {}: {text}", self.name));
    }
}

/// Appends commands that subscribe to all of `names`.
fn subscribe_all(out: &mut Vec<u8>, verb: Verb, names: &BTreeSet<Box<[u8]>>) {
    let mut left = names.len();
    for (index, name) in names.iter().enumerate() {
        if index % AT_ONCE == 0 {
            begin(out, 1 + left.min(AT_ONCE));
            put_part(out, verb.command());
            left -= left.min(AT_ONCE);
        }
        put_part(out, name);
    }
}

/// True for what the script gets: messages and errors. The rest confirms subscriptions.
fn is_for_script(reply: &[u8]) -> bool {
    let mut reader = Reader::new(reply);
    match reader.next_item() {
        Some(Item::Array(_)) => {
            matches!(reader.next_item(), Some(Item::Bulk(b"message" | b"pmessage")))
        }
        Some(Item::Error(_)) => true,
        _ => false,
    }
}

impl Client for Watch {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn hello(&self) -> Vec<(&'static str, Vec<u8>)> {
        self.settings.login.commands(self.settings.login.db.as_deref())
    }

    fn on_up(&self, attempt: u64, channel: Channel) {
        let (opening, again) = {
            let mut state = self.lock();
            if state.attempt != attempt || !matches!(state.phase, Phase::Connecting) {
                return channel.abort();
            }
            let mut bytes = Vec::new();
            subscribe_all(&mut bytes, Verb::Subscribe, &state.channels);
            subscribe_all(&mut bytes, Verb::PatternSubscribe, &state.patterns);
            if !bytes.is_empty() {
                // Of an end the connection's task tells everybody.
                let _ = channel.write(&bytes);
            }
            if state.paused {
                channel.pause();
            }
            state.phase = Phase::Up(channel);
            let again = std::mem::replace(&mut state.opened, true);
            let count = state.channels.len() + state.patterns.len();
            (std::mem::take(&mut state.opening), again.then_some(count))
        };
        if let Some(count) = again {
            self.log(&format!("connected again; channels and patterns subscribed: {count}"));
        }
        self.tell(opening, b"+OK\r\n");
    }

    fn on_replies(
        &self,
        attempt: u64,
        bytes: Cow<'_, [u8]>,
        ends: &[usize],
    ) -> Result<(), Refused> {
        let woken = {
            let mut state = self.lock();
            if state.attempt != attempt || matches!(state.phase, Phase::Closed) {
                return Ok(());
            }
            // Only a server that answers is one that is there again.
            state.failures = 0;
            let mut start = 0;
            for end in ends {
                let reply = &bytes[start..*end];
                start = *end;
                if is_for_script(reply) {
                    state.queued += reply.len() + OVERHEAD;
                    state.queue.push_back(reply.to_vec());
                }
            }
            if state.queued > HIGH && !state.paused {
                state.paused = true;
                if let Phase::Up(channel) = &state.phase {
                    channel.pause();
                }
            }
            let count = state.queue.len().min(state.waiters.len());
            state.waiters.drain(..count).collect::<Vec<_>>()
        };
        self.wake(woken);
        Ok(())
    }

    fn on_down(self: Arc<Self>, attempt: u64, was_up: bool, why: String) {
        let (opening, losses, pause, failures) = {
            let mut state = self.lock();
            if state.attempt != attempt || matches!(state.phase, Phase::Closed) {
                return;
            }
            state.batch = Vec::new();
            if !state.opened {
                state.phase = Phase::Closed;
                (std::mem::take(&mut state.opening), Vec::new(), Duration::ZERO, 0)
            } else {
                state.phase = Phase::Idle;
                let pause = match state.failures {
                    0 => Duration::ZERO,
                    failures => FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(8)),
                };
                state.failures += 1;
                (Vec::new(), state.losses.note(), pause.min(LONGEST_PAUSE), state.failures)
            }
        };
        self.tell(losses, LOST);
        if failures == 0 {
            let why = format!("cannot connect ({why})");
            for session in opening {
                fail(&self.node, &self.service, session, &why);
            }
            return;
        }
        if was_up {
            self.log(&format!("connection of a watch lost ({why}); it connects again"));
        } else if failures == 2 {
            self.log(&format!("a watch cannot connect ({why}); it goes on trying"));
        }
        if pause.is_zero() {
            return self.connect();
        }
        let watch = Arc::downgrade(&self);
        let later = async move {
            tokio::time::sleep(pause).await;
            if let Some(watch) = watch.upgrade() {
                watch.connect();
            }
        };
        // It is a task that says so: the I/O runs.
        let _ = self.io.spawn(later);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "watch of redis {}", self.name)
    }
}
