//! Node: everything that services of one process share, and the verbs they use on it.
//!
//! Invariant: the number of live services is exact, and the node ends when it reaches zero. The
//! log service ends last, so nobody's last words are lost.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::Clock;
use super::ended::Ended;
use super::handle::Handle;
use super::message::{Kind, Message, Payload, Session};
use super::registry::Registry;
use super::remote::Remote;
use super::scheduler::Scheduler;
use super::service::{Actor, Service};
use super::stamp::Stamps;
use super::stop::Savers;
use super::ticker;
use super::timer::Wheel;

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

/// Keys and values of the configuration.
type Environment = HashMap<Box<[u8]>, Arc<[u8]>>;

/// One node.
pub struct Node {
    /// Handles and names.
    pub registry: Registry,
    /// The node's time.
    pub clock: Clock,
    /// Clock of the services' time.
    pub stamps: Stamps,
    /// Settings.
    pub options: NodeSettings,
    pub(super) scheduler: Scheduler,
    pub(super) stuck_workers: AtomicUsize,
    pub(super) wheel: Mutex<Wheel>,
    pub(super) environment: RwLock<Environment>,
    pub(super) factories: HashMap<&'static str, Factory>,
    pub(super) logger: AtomicU32,
    /// Whoever is told of the end of each service, set by the `MONITOR` command.
    pub(super) monitor: AtomicU32,
    /// Services whose end is running; they are no longer in the registry.
    pub(super) closing: Mutex<Vec<Arc<Service>>>,
    pub(super) live: AtomicUsize,
    pub(super) aborting: AtomicBool,
    /// The first service, and whether the node failed to come up.
    pub(super) bootstrap: AtomicU32,
    pub(super) start_failed: AtomicBool,
    pub(super) savers: Savers,
    pub(super) remote: OnceLock<Arc<dyn Remote>>,
    pub(super) ended_services: Mutex<Ended>,
    pub(super) ended: Mutex<bool>,
    pub(super) end: Condvar,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
    /// What ends with the node.
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
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
    pub(super) poke: fn(libc::pthread_t),
}

impl Node {
    /// A node without services; its workers start with `start`.
    pub fn new(options: NodeOptions, factories: HashMap<&'static str, Factory>) -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(options.harbor),
            clock: options.clock,
            stamps: Stamps::new(),
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
            remote: OnceLock::new(),
            ended_services: Mutex::default(),
            ended: Mutex::new(false),
            end: Condvar::new(),
            closing: Mutex::default(),
            threads: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    /// Keeps something that services use, until the node is gone.
    pub fn keep(&self, part: impl Send + 'static) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(part));
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

    pub(super) fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) {
        let spawned =
            std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(body);
        match spawned {
            Ok(thread) => {
                self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
            }
            Err(error) => self.log(None, &format!("thread {name}: cannot start ({error})")),
        }
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
        let Some(factory) = self.factories.get(kind) else {
            self.report(None, &format!("FAILED launch {kind}: no such kind of service"));
            return Err(LaunchFailed);
        };
        let name =
            if arguments.is_empty() { kind.to_owned() } else { format!("{kind} {arguments}") };
        self.launch_actor(&name, |service| factory(self, service, arguments))
    }

    /// Starts a service called `name` whose actor `make` gives for its address.
    ///
    /// # Errors
    /// When `make` fails, or the node has as many services as it may; the log says why.
    pub fn launch_actor(
        self: &Arc<Self>,
        name: &str,
        make: impl FnOnce(&Arc<Service>) -> Result<Launch, String>,
    ) -> Result<Arc<Service>, LaunchFailed> {
        let refuse = |why: &str| {
            self.report(None, &format!("FAILED launch {name}: {why}"));
            Err(LaunchFailed)
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
        let added = self.registry.add(|handle| {
            let service = Service::new(handle, name);
            // Until the actor is in place the service counts as scheduled, so that nobody runs it.
            service.mailbox.claim();
            Arc::new(service)
        });
        let Some(service) = added else {
            return refuse("all handles are in use");
        };
        self.live.fetch_add(1, Ordering::SeqCst);
        match make(&service) {
            Ok(Launch { actor, first }) => {
                // SAFETY: the credit above is the scheduling right.
                unsafe { service.install(actor) };
                self.log(Some(service.handle), &format!("LAUNCH {name}"));
                if let Some(message) = first {
                    service.mailbox.push(message);
                }
                if service.mailbox.settle(1) {
                    self.scheduler.schedule(&service);
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

    /// True once the node is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.aborting.load(Ordering::Relaxed)
    }

    /// Takes a service out of the registry; it handles no further message. False when it is gone.
    pub fn retire(&self, handle: Handle) -> bool {
        // The registry gives a service out once, so all of this happens once for each.
        let Some(service) = self.registry.remove(handle) else { return false };
        // The registry's count passes to whoever closes the service, which may be another worker
        // as soon as the service is marked.
        let kept = Arc::into_raw(Arc::clone(&service));
        debug_assert!(!kept.is_null(), "taken back by `close`");
        self.remember_ended(handle, &service.name);
        service.mark_retired();
        if let Some(monitor) = Handle::new(self.monitor.load(Ordering::Relaxed)) {
            let end = Message::empty(Some(handle), Session::NONE, Kind::CLIENT);
            let _ = self.send_to(monitor, end);
        }
        if service.mailbox.claim().before == 0 {
            self.scheduler.schedule(&service);
        }
        true
    }

    pub(super) fn close(&self, service: &Arc<Service>) {
        let closing = || self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing().push(Arc::clone(service));
        // SAFETY: called under the scheduling right, which ends here: the credit of `retire`
        // keeps everybody from scheduling the service again.
        unsafe { service.close(&mut |message| self.undelivered(message, service.handle)) };
        closing().retain(|other| other.handle != service.handle);
        // SAFETY: `retire` left this count; a service is retired once and closed once.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(service)) });
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

    pub(super) fn is_logger_alone(&self) -> bool {
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
        if let Some(remote) = self.remote.get() {
            remote.end();
        }
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
        let logger = self.logger().and_then(|logger| self.registry.find(logger));
        // A service that floods the log fills it only so far; what the node itself has to say of
        // that service still finds room.
        let Some(logger) = logger.filter(|logger| logger.has_reserve()) else { return };
        let message = Message {
            source,
            session: Session::NONE,
            kind: Kind::TEXT,
            payload: Payload::copy_of(text),
        };
        let _ = self.send(&logger, message);
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

    /// A sender for the log: address and name.
    pub fn describe(&self, number: u32) -> String {
        match Handle::new(number) {
            None => "timers".to_owned(),
            Some(handle) => match self.registry.find(handle) {
                Some(service) => format!("{handle} {}", service.name),
                None if self.is_remote(handle) => format!("{handle} of harbor {}", handle.harbor()),
                None => match self.ended_name(handle) {
                    Some(name) => format!("{handle} {name} (ended)"),
                    None => format!("{handle} (no service)"),
                },
            },
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "node with {} services", self.live())
    }
}
