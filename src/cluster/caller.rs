//! The actor of a link: connects when the first request comes, and again after a loss; at most one
//! attempt runs at a time. Requests that come meanwhile wait, and fail with the attempt. A connection
//! that is lost fails every call that waits on it, at once.
//!
//! Invariant: all decisions are made here, in the actor's turns; tasks deliver answers
//! and post events.

use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::deadlines::Deadlines;
use super::link::{Event, Link, Pending};
use super::request::{Head, read_head};
use super::waiting::Waiting;
use super::{Cluster, LINGER, Target, UNREACHABLE, connect};
use crate::codec::cluster::{
    LARGE_REQUEST, PART, encode_begin, encode_single, encode_trace, request_part_head,
};
use crate::kernel::clock::CENTISECOND;
use crate::kernel::node::LaunchFailed;
use crate::kernel::{Actor, Handle, Inbox, Kind, Launch, Message, Node, Payload, Session};
use crate::net::{Address, Channel};

/// Pause after the second failed attempt; it doubles with each further one. The first failure is
/// followed by an attempt at once, so that a peer that was restarted is found again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause: a call that waits for the next attempt waits no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Requests that wait for a link's turn.
const MAILBOX: usize = 1 << 20;

/// Largest session on the wire; the next is 1 again.
const LAST_SESSION: u32 = i32::MAX.unsigned_abs();

/// Sessions of the link's own timers.
const RETRY: Session = Session(1);
const SWEEP: Session = Session(2);

/// Starts the link to a node.
pub(super) fn launch(
    cluster: &Arc<Cluster>,
    node: &Arc<Node>,
    name: &str,
) -> Result<Arc<Link>, LaunchFailed> {
    let mut made = None;
    node.launch_actor(&format!("clustersender {name}"), |service| {
        let link = Arc::new(Link::new(name, service));
        // A script that sends faster than the link takes is refused before memory ends.
        service.limit_mailbox(MAILBOX);
        service.limit_mailbox_bytes(cluster.settings.queue_limit());
        made = Some(Arc::clone(&link));
        Ok(Launch { actor: Box::new(LinkActor::new(node, cluster, link)), first: None })
    })?;
    made.ok_or(LaunchFailed)
}

enum State {
    /// No connection, and nobody needs one.
    Idle,
    /// Requests wait for the peer's address.
    Unresolved,
    /// Requests wait for the next attempt.
    Pausing,
    /// An attempt runs.
    Connecting(Address),
    /// Connected.
    Up(Address, Channel),
}

struct LinkActor {
    node: Arc<Node>,
    cluster: Arc<Cluster>,
    link: Arc<Link>,
    state: State,
    /// Number of the newest attempt.
    attempt: u64,
    /// Attempts in a row that failed, and when the last did.
    failures: u32,
    failed_at: Duration,
    /// The log says that there is no address; it says so once.
    told: bool,
    waiting: Waiting,
    batch: Batch,
    next_session: u32,
    deadlines: Deadlines,
    /// The timer for them is set.
    sweeping: bool,
}

impl LinkActor {
    fn new(node: &Arc<Node>, cluster: &Arc<Cluster>, link: Arc<Link>) -> Self {
        Self {
            node: Arc::clone(node),
            cluster: Arc::clone(cluster),
            link,
            state: State::Idle,
            attempt: 0,
            failures: 0,
            failed_at: Duration::ZERO,
            told: false,
            waiting: Waiting::default(),
            batch: Batch::default(),
            next_session: 0,
            deadlines: Deadlines::default(),
            sweeping: false,
        }
    }

    fn log(&self, text: &str) {
        self.node.log(Some(self.link.service().handle), text);
    }

    fn on_request(&mut self, message: Message) {
        let limit = self.cluster.settings.call_limit;
        let limit = limit.filter(|_| message.session.expects_answer());
        self.pass(message, limit.map(|limit| self.node.clock.elapsed() + limit));
    }

    /// Sends a request, or lets it wait for the connection.
    fn pass(&mut self, message: Message, until: Option<Duration>) {
        match self.state {
            State::Up(..) => self.send(message, until),
            State::Idle => {
                self.hold(message, until);
                self.begin();
            }
            State::Unresolved | State::Pausing | State::Connecting(_) => self.hold(message, until),
        }
    }

    fn hold(&mut self, message: Message, until: Option<Duration>) {
        self.waiting.push((message, until));
        if self.waiting.is_over(self.cluster.settings.queue_limit()) {
            self.log(&format!(
                "cluster node [{}]: {} requests of {} bytes wait for a connection, which is too \
                 much: they fail",
                self.link.name,
                self.waiting.len(),
                self.waiting.bytes()
            ));
            self.fail_waiting();
        } else if let Some(until) = until {
            self.sweep_at(until);
        }
    }

    /// Fails the requests that wait: the peer cannot be reached.
    fn fail_waiting(&mut self) {
        for (message, _) in self.waiting.take() {
            self.refuse(&message);
        }
    }

    fn refuse(&self, message: &Message) {
        if let Some(source) = message.source.filter(|_| message.session.expects_answer()) {
            let error = Message {
                source: Some(self.link.service().handle),
                session: message.session,
                kind: Kind::ERROR,
                payload: Payload::copy_of(UNREACHABLE),
            };
            let _ = self.node.send_to(source, error);
        }
    }

    /// Requests wait and there is no connection: finds out what to do about it.
    fn begin(&mut self) {
        let name = &self.link.name;
        match self.cluster.target(name) {
            Some(Target::At(address)) => {
                let pause = self.pause();
                if pause.is_zero() {
                    self.connect(address);
                } else {
                    self.state = State::Pausing;
                    self.set_timer(pause, RETRY);
                }
            }
            Some(Target::Down) => self.give_up("down"),
            None if self.cluster.ask_finder(&self.node, self.link.service().handle, name) => {
                self.state = State::Unresolved;
            }
            None if self.cluster.is_nowaiting() => self.give_up("absent"),
            None => {
                self.log(&format!("Waiting for cluster node [{name}]"));
                self.state = State::Unresolved;
            }
        }
    }

    /// There is nowhere to connect to.
    fn give_up(&mut self, why: &str) {
        if !std::mem::replace(&mut self.told, true) {
            self.log(&format!("cluster node [{}] is {why}.", self.link.name));
        }
        self.state = State::Idle;
        self.fail_waiting();
    }

    /// How long the next attempt has to wait.
    fn pause(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(2) else { return Duration::ZERO };
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(8)).min(LONGEST_PAUSE);
        (self.failed_at + pause).saturating_sub(self.node.clock.elapsed())
    }

    fn set_timer(&self, after: Duration, session: Session) {
        let ticks = after.as_nanos().div_ceil(CENTISECOND.as_nanos());
        let ticks = i32::try_from(ticks).unwrap_or(i32::MAX);
        self.node.timeout(self.link.service(), session, ticks);
    }

    fn connect(&mut self, address: Address) {
        self.attempt += 1;
        let task = connect::connect(
            Arc::clone(&self.node),
            Arc::clone(&self.cluster),
            Arc::clone(&self.link),
            address.clone(),
            self.attempt,
        );
        self.state = State::Connecting(address);
        if let Err(error) = self.cluster.io.spawn(task) {
            self.on_failed(&format!("the I/O cannot start ({error})"));
        }
    }

    fn on_events(&mut self) {
        loop {
            match self.link.next_event() {
                None => return,
                Some(Event::Connected(attempt, channel)) => self.on_connected(attempt, channel),
                Some(Event::Failed(attempt, why)) if attempt == self.attempt => {
                    self.on_failed(&why);
                }
                Some(Event::Lost(attempt)) if attempt == self.attempt => self.on_lost(),
                Some(Event::Failed(..) | Event::Lost(_)) => {}
                Some(Event::Retarget) => self.on_retarget(),
            }
        }
    }

    fn on_connected(&mut self, attempt: u64, channel: Channel) {
        let State::Connecting(address) = &self.state else { return channel.abort() };
        if attempt != self.attempt {
            return channel.abort();
        }
        self.failures = 0;
        self.next_session = 0;
        self.link.rise(attempt);
        self.state = State::Up(address.clone(), channel);
        for (message, until) in self.waiting.take() {
            // It may be lost again before all are sent; then the rest waits.
            self.pass(message, until);
        }
    }

    /// The connection has ended. Its task has failed the calls that it knew of; those noted since
    /// then fail here.
    fn on_lost(&mut self) {
        if matches!(self.state, State::Up(..)) {
            self.link.lose(&self.node, self.attempt, |_| {});
            self.forget();
            self.state = State::Idle;
        }
    }

    /// Forgets what belonged to the connection before.
    fn forget(&mut self) {
        self.batch.clear();
        self.deadlines.clear();
    }

    fn on_failed(&mut self, why: &str) {
        let State::Connecting(address) = &self.state else { return };
        self.failures += 1;
        self.failed_at = self.node.clock.elapsed();
        let (name, tries) = (&self.link.name, self.failures);
        self.log(&format!("changenode [{name}] ({address}) failed: {why}; attempt {tries}"));
        self.state = State::Idle;
        self.fail_waiting();
    }

    fn on_retarget(&mut self) {
        let target = self.cluster.target(&self.link.name);
        let here = match (&self.state, &target) {
            (State::Connecting(old) | State::Up(old, _), Some(Target::At(new))) => old == new,
            (State::Unresolved, None) => !self.cluster.is_nowaiting(),
            _ => false,
        };
        if here {
            return;
        }
        let name = &self.link.name;
        let shown = match &target {
            Some(Target::At(address)) => address.to_string(),
            Some(Target::Down) => "false".to_owned(),
            None => "nil".to_owned(),
        };
        self.failures = 0;
        self.told = false;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Up(old, channel) => {
                self.log(&format!("Close cluster sender [{name}] ({old}): it is at {shown} now"));
                self.flush_to(&channel);
                channel.close(LINGER);
                self.link.lose(&self.node, self.attempt, |_| {});
                self.forget();
            }
            State::Unresolved if target.is_some() => {
                self.log(&format!("Cluster node [{name}] resolved : {shown}"));
            }
            State::Idle | State::Unresolved | State::Pausing | State::Connecting(_) => {}
        }
        // Whatever the attempt before brings is not wanted any more.
        self.attempt += 1;
        if !self.waiting.is_empty() {
            self.begin();
        }
    }

    fn next_session(&mut self) -> u32 {
        self.next_session =
            if self.next_session >= LAST_SESSION { 1 } else { self.next_session + 1 };
        self.next_session
    }

    /// Writes a request to the connection that is up.
    fn send(&mut self, message: Message, until: Option<Duration>) {
        let Some(Head { to, tag, length }) = read_head(message.payload.as_slice()) else {
            let from = self.node.describe(message.source.map_or(0, Handle::number));
            self.log(&format!("Invalid request message from {from}"));
            return self.refuse(&message);
        };
        let body = &message.payload.as_slice()[length..];
        let limit = self.cluster.settings.message_limit;
        if body.len() > limit {
            self.log(&format!(
                "cluster node [{}]: a request of {} bytes exceeds the limit of {limit} \
                 (config: cluster_limit)",
                self.link.name,
                body.len()
            ));
            let from = self.link.service().handle;
            return self.node.answer_with_error(message.source, message.session, from);
        }
        let is_push = !message.session.expects_answer();
        let is_large = body.len() >= LARGE_REQUEST;
        let session = if is_push && !is_large { 0 } else { self.next_session() };
        if let Some(source) = message.source.filter(|_| !is_push)
            && !self.expect(session, Pending { source, session: message.session }, until)
        {
            // The connection ended a moment ago, and what the batch has belonged to calls that
            // have failed with it.
            self.on_lost();
            self.attempt += 1;
            return self.pass(message, until);
        }
        let name = &self.link.name;
        if !tag.is_empty() {
            let here = &self.cluster.settings.node_name;
            let mut whole = format!("({here}-{name}-{session})").into_bytes();
            whole.extend_from_slice(tag);
            if whole.len() <= PART {
                encode_trace(self.batch.frames(), &whole);
            }
        }
        if is_large {
            let total = u32::try_from(body.len()).unwrap_or(u32::MAX);
            encode_begin(self.batch.frames(), to, session, total, is_push);
            self.batch.push_body(message.payload, length, |length, last| {
                request_part_head(session, length, last)
            });
        } else {
            encode_single(self.batch.frames(), to, session, body);
        }
        if self.batch.is_full() {
            self.flush();
        }
    }

    /// Notes who waits for the answer; false when the connection is gone.
    fn expect(&mut self, session: u32, call: Pending, until: Option<Duration>) -> bool {
        if !self.link.expect(&self.node, self.attempt, session, call) {
            return false;
        }
        if let Some(until) = until {
            self.sweep_at(until);
            self.deadlines.push(until, session);
            let link = &self.link;
            self.deadlines.tidy(link.pending(), |session| link.is_pending(session));
        }
        true
    }

    /// Sees to it that calls whose time is over are looked for at `until`, or earlier.
    fn sweep_at(&mut self, until: Duration) {
        if !std::mem::replace(&mut self.sweeping, true) {
            self.set_timer(until.saturating_sub(self.node.clock.elapsed()), SWEEP);
        }
    }

    /// Fails the calls whose time is over.
    fn sweep(&mut self) {
        let now = self.node.clock.elapsed();
        self.sweeping = false;
        let held = self.waiting.take_late(now);
        let mut late = held.len();
        for message in held {
            let from = self.link.service().handle;
            self.node.answer_with_error(message.source, message.session, from);
        }
        while let Some(session) = self.deadlines.pop_late(now) {
            // Those answered meanwhile are not found.
            late += usize::from(self.link.fail(&self.node, self.attempt, session));
        }
        let next = self.deadlines.next().into_iter().chain(self.waiting.next_deadline()).min();
        if let Some(until) = next {
            self.sweep_at(until);
        }
        if let (1.., Some(limit)) = (late, self.cluster.settings.call_limit) {
            let name = &self.link.name;
            self.log(&format!(
                "cluster node [{name}]: {late} calls had no answer within {limit:?} (config: \
                 cluster_timeout)"
            ));
        }
    }

    fn flush(&mut self) {
        if let State::Up(_, channel) = &self.state {
            let channel = channel.clone();
            self.flush_to(&channel);
        }
    }

    fn flush_to(&mut self, channel: &Channel) {
        let limit = self.cluster.settings.queue_limit();
        match self.batch.write_to(channel) {
            Some(Ok(queued)) if queued > limit => {
                self.log(&format!(
                    "cluster node [{}]: closed, it does not read: {queued} bytes wait to be \
                     written, the limit is {limit}",
                    self.link.name
                ));
                channel.abort();
                self.on_lost();
            }
            // Of an end the connection's task tells everybody.
            _ => {}
        }
    }
}

impl Actor for LinkActor {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(message) = inbox.next_message() {
            match message.kind {
                Kind::HARBOR => self.on_request(message),
                Kind::SYSTEM => self.on_events(),
                Kind::RESPONSE if message.session == SWEEP => self.sweep(),
                Kind::RESPONSE if message.session == RETRY => {
                    if matches!(self.state, State::Pausing) {
                        self.state = State::Idle;
                        self.begin();
                    }
                }
                Kind::RESPONSE | Kind::ERROR => {}
                _ => {
                    let from = self.link.service().handle;
                    self.node.answer_with_error(message.source, message.session, from);
                }
            }
        }
        self.flush();
    }
}

impl Drop for LinkActor {
    fn drop(&mut self) {
        self.fail_waiting();
        if let State::Up(_, channel) = &self.state {
            channel.close(LINGER);
        }
        self.link.lose(&self.node, self.attempt, |_| {});
    }
}
