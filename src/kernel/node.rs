//! Node: everything that services of one process share, and the verbs they use on it.
//!
//! Invariant: the number of live services is exact, and the node ends when it reaches zero. The
//! log service ends last, so nobody's last words are lost.

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::clock::{CENTISECOND, Clock};
use super::ended::Ended;
use super::handle::Handle;
use super::message::{Kind, Message, Payload, Session};
use super::message_log::MessageLog;
use super::progress::Reading;
use super::registry::{Registry, Routed};
use super::scheduler::{Scheduler, Seat};
use super::service::{Actor, Inbox, OVERLOAD_WARNING, Service};
use super::stop::Savers;
use super::ticker;
use super::timer::{Timer, Wheel};

/// Most messages a service handles in one turn before others get theirs. Large enough that the
/// cost of a turn vanishes, small enough that a turn of microsecond handlers stays far below a
/// millisecond.
const TURN: usize = 32;

/// Stack of a worker. Lua allows 200 nested C calls, and each of `string.gsub` takes 9 KiB; the
/// 2 MiB of an ordinary thread are too near to that. Only what is used counts as memory.
const STACK: usize = 16 << 20;

/// Settings of a node that the kernel itself needs.
pub struct NodeOptions {
    /// Worker threads.
    pub threads: usize,
    /// Top 8 bits of every handle.
    pub harbor: u8,
    /// Measure the time services spend.
    pub profile: bool,
    /// Time in one message after which the log names a service as possibly endless.
    pub endless_warning: Duration,
    /// Most services at a time.
    pub max_services: usize,
    /// Where message logs go; without it there are none.
    pub message_log_directory: Option<PathBuf>,
    /// Source of time.
    pub clock: Clock,
    /// Makes the code that runs on a worker's thread take notice of its service's requests
    /// (see `Node::interrupt`). Called from other threads.
    pub poke: fn(libc::pthread_t),
}

/// Why a worker is poked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Interrupt {
    /// Log where the service is.
    Report = 1,
    /// Raise an error in the running code, because its message takes longer than allowed.
    Overtime = 2,
    /// Raise an error in the running code, because somebody asked for it (`signal 0`).
    Signal = 4,
}

/// What a factory makes: the actor, and the message that it gets before any other.
pub struct Launch {
    /// The actor.
    pub actor: Box<dyn Actor>,
    /// Its first message.
    pub first: Option<Message>,
}

/// Makes actors of one kind from their argument string. An error is its reason for the log.
pub type Factory =
    Box<dyn Fn(&Arc<Node>, &Arc<Service>, &str) -> Result<Launch, String> + Send + Sync>;

/// Why a service could not be launched. The reason has been logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchFailed;

/// Why a message was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError {
    /// Nobody has this handle or name.
    NoService,
    /// The mailbox is at its limit.
    Full,
}

/// One node.
pub struct Node {
    /// Handles and names.
    pub registry: Registry,
    /// The node's time.
    pub clock: Clock,
    /// Settings.
    pub options: NodeSettings,
    pub(super) scheduler: Scheduler,
    pub(super) stuck_workers: AtomicUsize,
    wheel: Mutex<Wheel>,
    environment: RwLock<HashMap<Box<[u8]>, Arc<[u8]>>>,
    factories: HashMap<&'static str, Factory>,
    logger: AtomicU32,
    /// Whoever is told of the end of each service, set by the `MONITOR` command.
    monitor: AtomicU32,
    /// Services whose end is running; they are no longer in the registry.
    closing: Mutex<Vec<Arc<Service>>>,
    live: AtomicUsize,
    aborting: AtomicBool,
    /// The first service, and whether the node failed to come up.
    bootstrap: AtomicU32,
    start_failed: AtomicBool,
    pub(super) savers: Savers,
    pub(super) ended_services: Mutex<Ended>,
    ended: Mutex<bool>,
    end: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The part of the options that stays with the node.
pub struct NodeSettings {
    /// Worker threads.
    pub threads: usize,
    /// Measure the time services spend.
    pub profile: bool,
    /// See `NodeOptions`.
    pub endless_warning: Duration,
    /// Most services at a time.
    pub max_services: usize,
    /// See `NodeOptions`.
    pub message_log_directory: Option<PathBuf>,
    poke: fn(libc::pthread_t),
}

impl Node {
    /// A node without services; its workers start with `start`.
    pub fn new(options: NodeOptions, factories: HashMap<&'static str, Factory>) -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(options.harbor),
            clock: options.clock,
            options: NodeSettings {
                threads: options.threads,
                profile: options.profile,
                endless_warning: options.endless_warning,
                max_services: options.max_services,
                message_log_directory: options.message_log_directory,
                poke: options.poke,
            },
            scheduler: Scheduler::new(options.threads),
            stuck_workers: AtomicUsize::new(0),
            wheel: Mutex::default(),
            environment: RwLock::default(),
            factories,
            logger: AtomicU32::new(0),
            monitor: AtomicU32::new(0),
            live: AtomicUsize::new(0),
            aborting: AtomicBool::new(false),
            bootstrap: AtomicU32::new(0),
            start_failed: AtomicBool::new(false),
            savers: Savers::default(),
            ended_services: Mutex::default(),
            ended: Mutex::new(false),
            end: Condvar::new(),
            closing: Mutex::default(),
            threads: Mutex::default(),
        })
    }

    /// Starts the workers and the ticker.
    pub fn start(self: &Arc<Self>) {
        for seat in 0..self.options.threads {
            self.spawn_worker(seat);
        }
        if !self.clock.is_manual() {
            let node = Arc::clone(self);
            self.spawn("ticker", move || ticker::run(&node));
        }
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) {
        let spawned =
            std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(body);
        match spawned {
            Ok(thread) => {
                self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
            }
            Err(error) => self.log(None, &format!("thread {name}: cannot start ({error})")),
        }
    }

    fn spawn_worker(self: &Arc<Self>, seat: usize) {
        let node = Arc::clone(self);
        self.spawn(&format!("worker {seat}"), move || {
            let turn_end = std::cell::Cell::new(Instant::now());
            let idle = std::cell::Cell::new(true);
            node.scheduler.work(
                seat,
                &mut |service| {
                    if idle.replace(false) {
                        turn_end.set(Instant::now());
                    }
                    node.run_turn(service, &node.scheduler.seats[seat], &turn_end)
                },
                &mut || idle.set(true),
                &|| seat >= node.options.threads && node.stuck_workers.load(Ordering::Relaxed) == 0,
            );
        });
    }

    /// Adds a worker for one that is stuck, unless as many were added already.
    pub(super) fn start_replacement(self: &Arc<Self>, stuck: usize) {
        let spare = &self.scheduler.seats[self.options.threads..];
        let added = spare.iter().filter(|seat| !seat.is_free()).count();
        if added < stuck {
            if let Some(free) = spare.iter().position(Seat::is_free) {
                self.spawn_worker(self.options.threads + free);
            }
        }
    }

    /// Gives a service one turn. True when it must be scheduled again.
    fn run_turn(
        &self,
        service: &Arc<Service>,
        seat: &Seat,
        turn_end: &std::cell::Cell<Instant>,
    ) -> bool {
        if service.is_retired() {
            // The end of a service runs its finalizers: the watchdog has to see it as well.
            seat.progress.begin(service.handle, None);
            self.close(service);
            seat.progress.rest();
            return false;
        }
        let pending = service.mailbox.pending();
        if pending > service.stats.overload_at.load(Ordering::Relaxed) {
            self.warn_of_overload(service, pending);
        }
        let mut inbox =
            Inbox::new(self, service, &seat.progress, pending.min(TURN), turn_end.get());
        // A panic is a defect of ours; it must cost one service, not the node.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // SAFETY: this worker took the service from a queue, so it holds the right.
            unsafe { service.run(&mut inbox) };
        }));
        let taken = inbox.taken();
        seat.progress.rest();
        add(&service.stats.messages, taken as u64);
        if self.options.profile {
            let now = Instant::now();
            let busy = now.duration_since(turn_end.replace(now));
            let busy = u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX);
            add(&service.stats.busy, busy);
        }
        if outcome.is_err() {
            self.log(Some(service.handle), "a native function panicked; the service ends");
            self.retire(service.handle);
        }
        let more = service.mailbox.settle(taken);
        if !more {
            service.stats.overload_at.store(OVERLOAD_WARNING, Ordering::Relaxed);
        }
        more
    }

    /// Starts a service of the kind `kind` with its argument string.
    ///
    /// # Errors
    /// When the kind is unknown, the factory fails, or the node has as many services as it may;
    /// the log says why.
    pub fn launch(
        self: &Arc<Self>,
        kind: &str,
        arguments: &str,
    ) -> Result<Arc<Service>, LaunchFailed> {
        let refuse = |why: &str| {
            self.report(None, &format!("FAILED launch {kind}: {why}"));
            Err(LaunchFailed)
        };
        let Some(factory) = self.factories.get(kind) else {
            return refuse("no such kind of service");
        };
        if self.live.load(Ordering::Relaxed) >= self.options.max_services {
            return refuse(&format!(
                "the node has {} services, its limit (sandbox.toml: [node] services)",
                self.options.max_services
            ));
        }
        if self.aborting.load(Ordering::SeqCst) {
            return refuse("the node is ending");
        }
        let name =
            if arguments.is_empty() { kind.to_owned() } else { format!("{kind} {arguments}") };
        let added = self.registry.add(|handle| {
            let service = Service::new(handle, &name);
            // Until the actor is in place the service counts as scheduled, so that nobody runs it.
            service.mailbox.claim();
            Arc::new(service)
        });
        let Some(service) = added else {
            return refuse("all handles are in use");
        };
        self.live.fetch_add(1, Ordering::SeqCst);
        match factory(self, &service, arguments) {
            Ok(Launch { actor, first }) => {
                // SAFETY: the credit above is the scheduling right.
                unsafe { service.install(actor) };
                self.log(Some(service.handle), &format!("LAUNCH {name}"));
                if let Some(message) = first {
                    service.mailbox.push(message);
                }
                if service.mailbox.settle(1) {
                    self.scheduler.schedule(Arc::clone(&service));
                }
                if self.aborting.load(Ordering::SeqCst) {
                    // `abort` may have looked before the service was there.
                    self.retire(service.handle);
                }
                Ok(service)
            }
            Err(why) => {
                self.report(Some(service.handle), &format!("FAILED launch {name}: {why}"));
                self.retire(service.handle);
                self.close(&service);
                Err(LaunchFailed)
            }
        }
    }

    /// Sends a message to a service at hand.
    ///
    /// # Errors
    /// When its mailbox is at its limit. A service that has ended takes the message and answers
    /// it with an error.
    #[inline]
    pub fn send(&self, service: &Arc<Service>, message: Message) -> Result<(), SendError> {
        service.count_in(&message);
        let pushed = service.mailbox.push(message);
        if pushed.before == 0 {
            self.scheduler.schedule(Arc::clone(service));
        }
        if service.is_closed() {
            service.take_leftovers(&mut |message| self.undelivered(message, service.handle));
        }
        Ok(())
    }

    /// True when a further request to `service` must be refused. Answers are always accepted.
    #[inline]
    pub fn is_full(&self, service: &Service) -> bool {
        (service.pending() >= service.mailbox_limit() || service.is_out_of_bytes())
            && self.refuse(service)
    }

    #[cold]
    fn refuse(&self, service: &Service) -> bool {
        let refused = service.stats.refused.fetch_add(1, Ordering::Relaxed) + 1;
        // Powers of two keep a flood from filling the log as well; a log that is full itself
        // cannot take more.
        if refused.is_power_of_two() && Some(service.handle) != self.logger() {
            let (pending, name) = (service.pending(), &service.name);
            let why = if service.is_out_of_bytes() {
                "more bytes than its memory limit (sandbox.toml: memory)"
            } else {
                "the limit (sandbox.toml: mailbox)"
            };
            self.log(
                Some(service.handle),
                &format!(
                    "mailbox full: {name} has {pending} messages, {why}; {refused} refused so far"
                ),
            );
        }
        true
    }

    /// Sends a message to a handle.
    ///
    /// # Errors
    /// When nobody has it, or the mailbox is at its limit.
    pub fn send_to(&self, handle: Handle, message: Message) -> Result<(), SendError> {
        let service = self.registry.find(handle).ok_or(SendError::NoService)?;
        if message.kind != Kind::RESPONSE && message.kind != Kind::ERROR && self.is_full(&service) {
            return Err(SendError::Full);
        }
        self.send(&service, message)
    }

    /// Sends a message to a global name; it waits for the name if need be.
    ///
    /// # Errors
    /// When the owner is gone, or too many messages wait.
    pub fn send_to_global(&self, name: &[u8], message: Message) -> Result<(), SendError> {
        match self.registry.route_global(name, message) {
            Routed::Owner(owner, message) => self.send_to(owner, message),
            Routed::Waiting => Ok(()),
            Routed::Full(_) => Err(SendError::Full),
        }
    }

    /// Makes `owner` the owner of a global name and delivers what waited for it.
    pub fn set_global_name(&self, name: &[u8], owner: Handle) {
        for message in self.registry.set_global(name, owner) {
            let (source, session) = (message.source, message.session);
            if self.send_to(owner, message).is_err() {
                self.answer_with_error(source, session, owner);
            }
        }
    }

    fn undelivered(&self, message: Message, to: Handle) {
        // A late answer is nobody's request.
        if message.kind != Kind::RESPONSE && message.kind != Kind::ERROR {
            self.log_undelivered(&message, to);
            self.answer_with_error(message.source, message.session, to);
        }
    }

    /// True once the node is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.aborting.load(Ordering::Relaxed)
    }

    /// Tells the sender of a request that it has failed.
    pub fn answer_with_error(&self, to: Option<Handle>, session: Session, from: Handle) {
        if let Some(to) = to.filter(|_| session.expects_answer()) {
            let _ = self.send_to(to, Message::empty(Some(from), session, Kind::ERROR));
        }
    }

    /// Lets `session` of a service be answered after `centiseconds`; at once when not positive.
    pub fn timeout(&self, service: &Arc<Service>, session: Session, centiseconds: i32) {
        let Ok(count @ 1..) = u32::try_from(centiseconds) else {
            let _ = self.send(service, Message::empty(None, session, Kind::RESPONSE));
            return;
        };
        let at = self.clock.elapsed() + CENTISECOND * count;
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner).set(at, service.handle, session);
    }

    pub(super) fn take_due_timers(&self, now: Duration, due: &mut Vec<Timer>) {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner).advance(now, due);
    }

    pub(super) fn until_next_timer(&self, limit: Duration) -> Duration {
        let now = self.clock.elapsed();
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner).until_next(now, limit)
    }

    pub(super) fn answer_timer(&self, service: Handle, session: Session) {
        // The service may have ended; its timers end with it.
        let _ = self.send_to(service, Message::empty(None, session, Kind::RESPONSE));
    }

    /// Moves a manual clock on and fires what falls due.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let mut due = Vec::new();
        self.take_due_timers(self.clock.elapsed(), &mut due);
        for timer in due {
            self.answer_timer(timer.service, timer.session);
        }
    }

    /// Takes a service out of the registry; it handles no further message. False when it is gone.
    pub fn retire(&self, handle: Handle) -> bool {
        let Some(service) = self.registry.remove(handle) else { return false };
        if service.mark_retired() {
            self.remember_ended(handle, &service.name);
            if let Some(monitor) = Handle::new(self.monitor.load(Ordering::Relaxed)) {
                let _ = self
                    .send_to(monitor, Message::empty(Some(handle), Session::NONE, Kind::CLIENT));
            }
            if service.mailbox.claim().before == 0 {
                self.scheduler.schedule(service);
            }
        }
        true
    }

    fn close(&self, service: &Arc<Service>) {
        let closing = || self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing().push(Arc::clone(service));
        // SAFETY: called under the scheduling right, which ends here: the credit of `retire`
        // keeps everybody from scheduling the service again.
        unsafe { service.close(&mut |message| self.undelivered(message, service.handle)) };
        closing().retain(|other| other.handle != service.handle);
        let live = self.live.fetch_sub(1, Ordering::SeqCst) - 1;
        if live == 0 {
            self.finish();
        } else if live == 1 && self.aborting.load(Ordering::SeqCst) {
            self.retire_logger();
        } else if live == 1 && self.is_logger_alone() {
            // Nobody is left who could ever start a service again.
            self.log(None, "no service is left but the log: the node ends");
            self.abort();
        }
    }

    fn is_logger_alone(&self) -> bool {
        self.logger().is_some_and(|logger| self.registry.find(logger).is_some())
            && self.bootstrap().is_some()
    }

    /// Notes the first service beside the log.
    pub fn set_bootstrap(&self, service: Handle) {
        self.bootstrap.store(service.number(), Ordering::SeqCst);
    }

    /// The first service beside the log.
    pub fn bootstrap(&self) -> Option<Handle> {
        Handle::new(self.bootstrap.load(Ordering::SeqCst))
    }

    /// Notes that the node could not start what it needs; the log says why.
    pub fn note_start_failure(&self) {
        self.start_failed.store(true, Ordering::SeqCst);
    }

    /// True when the node could not start what it needs.
    pub fn has_start_failed(&self) -> bool {
        self.start_failed.load(Ordering::SeqCst)
    }

    fn retire_logger(&self) {
        if let Some(logger) = Handle::new(self.logger.load(Ordering::SeqCst)) {
            self.retire(logger);
        }
    }

    /// Ends every service, the log last, and with them the node.
    pub fn abort(&self) {
        if self.aborting.swap(true, Ordering::SeqCst) {
            return;
        }
        let logger = Handle::new(self.logger.load(Ordering::SeqCst));
        for service in self.registry.services() {
            if Some(service.handle) != logger {
                self.retire(service.handle);
            }
        }
        if self.live.load(Ordering::SeqCst) == 1 {
            self.retire_logger();
        }
    }

    fn finish(&self) {
        self.scheduler.stop();
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.notify_all();
    }

    /// Waits until the last service has ended, at most for `limit`. True when it has.
    pub fn wait(&self, limit: Option<Duration>) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match limit {
            None => {
                *self.end.wait_while(ended, |ended| !*ended).unwrap_or_else(PoisonError::into_inner)
            }
            Some(limit) => {
                *self
                    .end
                    .wait_timeout_while(ended, limit, |ended| !*ended)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    /// Joins the node's threads once it has ended. Not to be called from one of them.
    pub fn join(&self) {
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// Number of live services.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Names the service that takes the log.
    pub fn set_logger(&self, logger: Handle) {
        self.logger.store(logger.number(), Ordering::SeqCst);
    }

    /// The service that takes the log.
    pub fn logger(&self) -> Option<Handle> {
        Handle::new(self.logger.load(Ordering::SeqCst))
    }

    /// Names the service that is told of each service's end, or asks for it with `None`.
    pub fn monitor(&self, service: Option<Handle>) -> Option<Handle> {
        match service {
            Some(service) => {
                self.monitor.store(service.number(), Ordering::Relaxed);
                Some(service)
            }
            None => Handle::new(self.monitor.load(Ordering::Relaxed)),
        }
    }

    /// Logs a failure. The log service's own goes to standard error, since there is no log yet.
    pub fn report(&self, source: Option<Handle>, text: &str) {
        if self.logger().is_none_or(|logger| Some(logger) == source) {
            let _ = writeln!(std::io::stderr(), "node: {text}");
        } else {
            self.log(source, text);
        }
    }

    /// Logs a line under the address `source`.
    pub fn log(&self, source: Option<Handle>, text: &str) {
        self.log_bytes(source, text.as_bytes());
    }

    /// Logs a line that need not be text.
    pub fn log_bytes(&self, source: Option<Handle>, text: &[u8]) {
        let Some(logger) = self.logger() else { return };
        let message = Message {
            source,
            session: Session::NONE,
            kind: Kind::TEXT,
            payload: Payload::copy_of(text),
        };
        let _ = self.send_to(logger, message);
    }

    /// A value of the environment, which the config file fills.
    pub fn environment(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.environment.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Sets a value of the environment once; false when the key has one.
    pub fn set_environment(&self, key: &[u8], value: &[u8]) -> bool {
        let mut environment = self.environment.write().unwrap_or_else(PoisonError::into_inner);
        if environment.contains_key(key) {
            return false;
        }
        environment.insert(key.into(), value.into());
        true
    }

    /// Asks the code of a service, should it be running right now, to do something.
    pub fn interrupt(&self, service: &Service, what: Interrupt) {
        service.requests.fetch_or(what as u32, Ordering::SeqCst);
        for seat in &self.scheduler.seats {
            if seat.progress.read().service == Some(service.handle) {
                seat.with_thread(self.options.poke);
            }
        }
    }

    /// A service that a worker is busy with: one of the registry, or one that is just ending.
    fn watched(&self, handle: Handle) -> Option<Arc<Service>> {
        self.registry.find(handle).or_else(|| {
            let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
            closing.iter().find(|service| service.handle == handle).cloned()
        })
    }

    pub(super) fn warn_of_endless_loop(&self, seat: &Seat, handle: Handle, reading: Reading) {
        let Some(service) = self.watched(handle) else { return };
        service.stats.endless.store(true, Ordering::Relaxed);
        let source = reading.source.map_or(0, Handle::number);
        self.log(
            None,
            &format!(
                "A message from [ :{source:08x} ] to [ {handle} ] maybe in an endless loop (version = {})",
                reading.version
            ),
        );
        service.requests.fetch_or(Interrupt::Report as u32, Ordering::SeqCst);
        seat.with_thread(self.options.poke);
    }

    pub(super) fn enforce_message_time(&self, seat: &Seat, handle: Handle, spent: Duration) {
        let Some(service) = self.watched(handle) else { return };
        if service.message_time().is_some_and(|limit| spent >= limit) {
            service.requests.fetch_or(Interrupt::Overtime as u32, Ordering::SeqCst);
            seat.with_thread(self.options.poke);
        }
    }

    /// Logs the length of a queue that grew too long, what is in it, and whose it is.
    #[cold]
    fn warn_of_overload(&self, service: &Service, pending: usize) {
        service.stats.overload_at.store(pending.max(OVERLOAD_WARNING) * 2, Ordering::Relaxed);
        let mut kinds: HashMap<Kind, usize> = HashMap::new();
        let mut senders: HashMap<u32, usize> = HashMap::new();
        // SAFETY: called at the start of a turn, under the scheduling right.
        unsafe {
            service.mailbox.visit(|message| {
                *kinds.entry(message.kind).or_default() += 1;
                *senders.entry(message.source.map_or(0, Handle::number)).or_default() += 1;
            });
        }
        let log = |text: &str| self.log(Some(service.handle), text);
        log(&format!("May overload, message queue length = {pending}"));
        // A line of its own: tools know skynet's by its end.
        log(&format!(
            "queue of {}: {}; from {}",
            service.name,
            top(kinds.into_iter().map(|(kind, count)| (count, kind.to_string()))),
            top(senders.into_iter().map(|(sender, count)| (count, self.describe(sender)))),
        ));
    }

    /// A sender for the log: address and name.
    pub fn describe(&self, number: u32) -> String {
        match Handle::new(number) {
            None => "timers".to_owned(),
            Some(handle) => match self.registry.find(handle) {
                Some(service) => format!("{handle} {}", service.name),
                None => match self.ended_name(handle) {
                    Some(name) => format!("{handle} {name} (ended)"),
                    None => format!("{handle} (no service)"),
                },
            },
        }
    }

    /// Opens every message log anew, for a tool that has moved the files away.
    pub fn reopen_message_logs(&self) {
        for service in self.registry.services() {
            if service.has_message_log() {
                self.log_messages(&service, false);
                self.log_messages(&service, true);
            }
        }
    }

    /// Starts or ends the message log of a service.
    pub fn log_messages(&self, service: &Service, on: bool) {
        let now = self.clock.now();
        if !on {
            if service.stop_message_log(now) {
                self.log(Some(service.handle), "Close log file");
            }
            return;
        }
        let Some(directory) = &self.options.message_log_directory else { return };
        match MessageLog::open(directory, service.handle, now) {
            Ok(log) => {
                service.start_message_log(log);
                self.log(
                    Some(service.handle),
                    &format!("Open log file in {}", directory.display()),
                );
            }
            Err(error) => self.log(
                Some(service.handle),
                &format!("Open log file in {} fail: {error}", directory.display()),
            ),
        }
    }
}

/// Adds to a counter that only the holder of the scheduling right writes.
#[inline]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed) + amount, Ordering::Relaxed);
}

/// The three largest of a tally, as `name 12, other 3`.
fn top(tally: impl Iterator<Item = (usize, String)>) -> String {
    let mut tally: Vec<_> = tally.collect();
    tally.sort_by(|left, right| right.cmp(left));
    tally.truncate(3);
    let parts: Vec<String> = tally.iter().map(|(count, name)| format!("{name} {count}")).collect();
    parts.join(", ")
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "node with {} services", self.live())
    }
}
