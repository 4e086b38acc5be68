//! A service as the kernel knows it: an address, a mailbox, an actor behind it, and counters.
//!
//! Invariant: the actor is touched only by the thread that holds the scheduling right of the
//! mailbox (see `mailbox.rs`), so it runs on at most one thread at a time. After `close` the
//! actor is gone, and whatever still reaches the mailbox is answered with an error.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::mailbox::{Mailbox, Taken};
use super::message::Message;
use super::message_log::MessageLog;
use super::node::Node;
use super::progress::Progress;
use super::stamp::Stamp;
use super::sync::UnsafeCell;

/// What the scheduler knows of an actor: Lua is one implementation, a test double another.
pub trait Actor: Send {
    /// Handles the messages that `inbox` gives out; must not block the worker thread.
    fn run(&mut self, inbox: &mut Inbox<'_>);

    /// Is offered each message still queued when the service ends. What it returns is answered
    /// with an error by the kernel.
    fn on_leftover(&mut self, message: Message) -> Option<Message> {
        Some(message)
    }
}

/// An actor that takes every message and does nothing.
pub struct Idle;

impl Actor for Idle {
    fn run(&mut self, inbox: &mut Inbox<'_>) {
        while inbox.next_message().is_some() {}
    }
}

/// Mailbox length of the first overload warning; it doubles with each warning, so a stuck
/// service costs O(log n) log lines. skynet's figure.
pub const OVERLOAD_WARNING: usize = 1024;

/// A message from this size on counts towards the bytes of a mailbox. Smaller ones are not worth
/// an atomic operation each; their number is what a limit has to bound.
const LARGE: usize = 1 << 10;

/// Counters of one service, readable from every thread. On a cache line of their own, since the
/// service writes them at each turn and its senders read what lies beside.
#[derive(Debug)]
#[repr(align(64))]
pub struct Stats {
    /// Messages handled.
    pub messages: AtomicU64,
    /// Ticks spent handling them (`Node::stamps`).
    pub busy: AtomicU64,
    /// Bytes its Lua state and native parts hold, as of the end of its last turn.
    pub memory: AtomicUsize,
    /// Set when the watchdog found it in one message for too long; reading clears it.
    pub endless: AtomicBool,
    /// Queue length at which the next overload warning is due.
    pub overload_at: AtomicUsize,
    /// Messages refused because the mailbox was at its limit.
    pub refused: AtomicU64,
}

/// One service.
pub struct Service {
    /// Its address.
    pub handle: Handle,
    /// Kind of actor and arguments, as in `snlua main`.
    pub name: Box<str>,
    /// Its counters.
    pub stats: Stats,
    /// When it was started.
    pub started: Instant,
    pub(super) mailbox: Mailbox,
    /// Most messages the mailbox may hold; `usize::MAX` when there is no limit.
    mailbox_limit: AtomicUsize,
    /// Bytes of the large messages in the mailbox.
    queued_bytes: AtomicUsize,
    /// Most of them; `usize::MAX` when there is no limit.
    queued_limit: AtomicUsize,
    actor: UnsafeCell<Option<Box<dyn Actor>>>,
    /// Longest time for one message before it is interrupted, in nanoseconds; zero for never.
    message_time: AtomicU64,
    /// Every message is written to `message_log`.
    is_logged: AtomicBool,
    message_log: Mutex<Option<MessageLog>>,
    /// What the kernel asks of the running code, bits of `Interrupt`.
    pub requests: AtomicU32,
    /// Has had a local name, so that the end has to look for it.
    pub(super) named: AtomicBool,
    /// Wants to be asked before the node ends.
    saves: AtomicBool,
    /// No longer in the registry; to be closed at its next turn.
    retired: AtomicBool,
    /// The actor is gone.
    closed: AtomicBool,
    /// Held by whoever empties the mailbox of a closed service.
    leftovers: Mutex<()>,
}

// SAFETY: `actor` is used only under the scheduling right (invariant above), which one thread
// holds at a time and passes on through the mailbox counter; the rest is atomics and locks.
unsafe impl Sync for Service {}
// SAFETY: an `Actor` is `Send`, and so is everything else here.
unsafe impl Send for Service {}

impl Service {
    pub(super) fn new(handle: Handle, name: &str) -> Self {
        Self {
            handle,
            name: name.into(),
            stats: Stats {
                messages: AtomicU64::new(0),
                busy: AtomicU64::new(0),
                memory: AtomicUsize::new(0),
                endless: AtomicBool::new(false),
                overload_at: AtomicUsize::new(OVERLOAD_WARNING),
                refused: AtomicU64::new(0),
            },
            started: Instant::now(),
            mailbox: Mailbox::new(),
            mailbox_limit: AtomicUsize::new(usize::MAX),
            queued_bytes: AtomicUsize::new(0),
            queued_limit: AtomicUsize::new(usize::MAX),
            actor: UnsafeCell::new(None),
            message_time: AtomicU64::new(0),
            is_logged: AtomicBool::new(false),
            message_log: Mutex::new(None),
            requests: AtomicU32::new(0),
            named: AtomicBool::new(false),
            saves: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            leftovers: Mutex::new(()),
        }
    }

    /// Puts the actor in place.
    ///
    /// # Safety
    /// Nobody else knows the service yet, or the caller holds its scheduling right.
    pub(super) unsafe fn install(&self, actor: Box<dyn Actor>) {
        // SAFETY: the caller's promise.
        self.actor.with_mut(|slot| unsafe { *slot = Some(actor) });
    }

    /// Gives the actor a turn.
    ///
    /// # Safety
    /// The caller holds the scheduling right.
    pub(super) unsafe fn run(&self, inbox: &mut Inbox<'_>) {
        // SAFETY: the caller's promise; the actor itself cannot reach this cell.
        self.actor.with_mut(|slot| unsafe {
            if let Some(actor) = &mut *slot {
                actor.run(inbox);
            }
        });
    }

    /// Ends the actor and gives every message left to `undelivered`.
    ///
    /// # Safety
    /// The caller holds the scheduling right.
    pub(super) unsafe fn close(&self, undelivered: &mut dyn FnMut(Message)) {
        // SAFETY: the caller's promise.
        let actor = self.actor.with_mut(|slot| unsafe { (*slot).take() });
        if let Some(mut actor) = actor {
            // SAFETY: still the only consumer.
            while let Some(message) = unsafe { self.mailbox.pop() } {
                if let Some(message) = actor.on_leftover(message) {
                    undelivered(message);
                }
            }
            drop(actor);
        }
        self.closed.store(true, Ordering::SeqCst);
        self.take_leftovers(undelivered);
    }

    /// Empties the mailbox of a closed service. A pusher calls it when it finds the service
    /// closed after its push, so that a message that raced with the end is answered as well.
    pub(super) fn take_leftovers(&self, undelivered: &mut dyn FnMut(Message)) {
        let _guard = self.leftovers.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the lock makes this thread the only consumer; the runner stopped consuming
        // before it set `closed`.
        while let Some(message) = unsafe { self.mailbox.pop() } {
            undelivered(message);
        }
    }

    /// True once the service is to end: no further message will be handled.
    #[inline]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// From now on it handles no further message.
    pub(super) fn mark_retired(&self) {
        self.retired.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Limits the mailbox to `messages`.
    pub fn limit_mailbox(&self, messages: usize) {
        self.mailbox_limit.store(messages, Ordering::Relaxed);
    }

    /// The limit of the mailbox; `usize::MAX` when there is none.
    #[inline]
    pub fn mailbox_limit(&self) -> usize {
        self.mailbox_limit.load(Ordering::Relaxed)
    }

    /// Limits the bytes of the messages that wait.
    pub fn limit_mailbox_bytes(&self, bytes: usize) {
        self.queued_limit.store(bytes, Ordering::Relaxed);
    }

    /// Counts a message on its way into the mailbox.
    #[inline]
    pub(super) fn count_in(&self, length: usize) {
        if length >= LARGE {
            self.queued_bytes.fetch_add(length, Ordering::Relaxed);
        }
    }

    #[inline]
    fn count_out(&self, message: &Message) {
        let length = message.payload.len();
        if length >= LARGE {
            self.queued_bytes.fetch_sub(length, Ordering::Relaxed);
        }
    }

    /// Bytes of the large messages that wait.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn is_out_of_bytes(&self) -> bool {
        self.queued_bytes.load(Ordering::Relaxed) >= self.queued_limit.load(Ordering::Relaxed)
    }

    /// True while the mailbox is below twice its limits, up to which the node's own words may go.
    pub(super) fn has_reserve(&self) -> bool {
        let bytes = self.queued_limit.load(Ordering::Relaxed);
        self.pending() < self.mailbox_limit().saturating_mul(2)
            && self.queued_bytes.load(Ordering::Relaxed) < bytes.saturating_mul(2)
    }

    pub(super) fn start_message_log(&self, log: MessageLog) {
        *self.message_log.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
        self.is_logged.store(true, Ordering::Release);
    }

    /// True while its messages are logged.
    pub(super) fn has_message_log(&self) -> bool {
        self.is_logged.load(Ordering::Acquire)
    }

    /// Ends the message log; false when there is none.
    pub(super) fn stop_message_log(&self, now: u64) -> bool {
        self.is_logged.store(false, Ordering::Release);
        let log = self.message_log.lock().unwrap_or_else(PoisonError::into_inner).take();
        log.map(|log| log.close(now)).is_some()
    }

    #[cold]
    fn log_message(&self, message: &Message, node: &Node) {
        let now = node.clock.now();
        if let Some(log) = &mut *self.message_log.lock().unwrap_or_else(PoisonError::into_inner) {
            log.write(message, now);
        }
    }

    /// Limits the time for one message; a zero duration lifts the limit.
    pub fn limit_message_time(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.message_time.store(nanoseconds, Ordering::Relaxed);
    }

    /// The time limit for one message.
    pub fn message_time(&self) -> Option<Duration> {
        match self.message_time.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Notes whether the service wants to be asked before the node ends.
    pub fn set_saves(&self, saves: bool) {
        self.saves.store(saves, Ordering::Release);
    }

    /// True when the service wants to be asked before the node ends.
    pub fn saves(&self) -> bool {
        self.saves.load(Ordering::Acquire)
    }

    /// Messages waiting, the one being handled included until its turn ends.
    pub fn pending(&self) -> usize {
        self.mailbox.pending()
    }
}

/// The messages of one turn.
pub struct Inbox<'a> {
    node: &'a Node,
    service: &'a Service,
    progress: &'a Progress,
    budget: usize,
    taken: usize,
    began: Stamp,
}

impl<'a> Inbox<'a> {
    pub(super) fn new(
        node: &'a Node,
        service: &'a Service,
        progress: &'a Progress,
        budget: usize,
        began: Stamp,
    ) -> Self {
        Self { node, service, progress, budget, taken: 0, began }
    }

    /// When the turn began. Without profiling it is when the worker last woke up.
    pub fn began(&self) -> Stamp {
        self.began
    }

    /// The next message of this turn; `None` ends it.
    #[inline]
    pub fn next_message(&mut self) -> Option<Message> {
        self.next_in_place().map(Taken::into_message)
    }

    /// As `next_message`, but leaves the message where it lies, which spares moving it.
    #[inline]
    pub fn next_in_place(&mut self) -> Option<Taken<'_>> {
        if self.taken == self.budget || self.service.is_retired() {
            return None;
        }
        // SAFETY: an inbox exists only inside `Service::run`, under the scheduling right; the result
        // borrows it, so there is one at a time.
        let message = unsafe { self.service.mailbox.take() }?;
        self.service.count_out(&message);
        self.taken += 1;
        self.progress.begin(self.service.handle, message.source);
        if self.service.requests.load(Ordering::Relaxed) != 0 {
            // They were meant for the message before, which ended first.
            self.service.requests.store(0, Ordering::Relaxed);
        }
        if self.service.is_logged.load(Ordering::Relaxed) {
            self.service.log_message(&message, self.node);
        }
        Some(message)
    }

    /// Messages taken in this turn.
    pub fn taken(&self) -> usize {
        self.taken
    }
}
