//! Scheduler: the workers, their run queues, and who sleeps.
//!
//! Every worker has a queue of its own; a service that is woken goes to the queue of the worker
//! that woke it, because the message is warm in that core's cache. Other workers steal from a
//! queue only when it holds more than one service, or when its worker has been busy with one
//! message since the last tick (`ticker.rs`): a lone ping-pong stays on one core, and nobody
//! waits behind a stuck service.
//!
//! Invariant: a service is in at most one queue (the mailbox counter sees to it). A worker parks
//! only after it has announced so and looked once more, so no wake-up is lost.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Queue};

use super::driver::{Driver, Signal};
use super::pace::Pace;
use super::progress::Progress;
use super::service::Service;

/// Workers that may be added while others are stuck in a message, beyond the configured number.
/// It bounds the threads a node can grow to; a stuck worker beyond it costs capacity.
pub const MAX_REPLACEMENTS: usize = 16;

/// Pauses of the processor between two rounds, so that looking does not slow down the worker
/// whose queue is looked at.
const PAUSES: usize = 16;

/// Turns after which a busy worker asks the clock whether to look at the network.
const TURNS_PER_CLOCK: u32 = 16;
/// How often it looks: what it costs then vanishes, and nobody waits longer for a busy worker.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// A service in a run queue: a pointer, since counting references would cost every message two
/// atomic operations.
///
/// Invariant: it is live. A service that can be scheduled is kept by the registry, and one that has
/// left it by the count that `Node::retire` leaves to `Node::close`, which runs under the
/// scheduling right and after which the service is in no queue any more.
#[derive(Clone, Copy)]
pub(super) struct Scheduled(NonNull<Service>);

// SAFETY: a `Service` may be shared between threads; whose turn it is, the mailbox says.
unsafe impl Send for Scheduled {}

impl Scheduled {
    fn new(service: &Arc<Service>) -> Self {
        Self(NonNull::from(&**service))
    }

    /// The service, for the turn that the queue has given.
    pub(super) fn service(&self) -> &Service {
        // SAFETY: the invariant of the type; the holder of the right keeps the service from being
        // closed until its turn is settled.
        unsafe { self.0.as_ref() }
    }

    /// A counted reference to it.
    pub(super) fn to_counted(self) -> Arc<Service> {
        // SAFETY: the pointer came from an `Arc` that is still live (invariant).
        unsafe {
            Arc::increment_strong_count(self.0.as_ptr());
            Arc::from_raw(self.0.as_ptr())
        }
    }
}

/// One worker's place: what others may see of it.
pub(super) struct Seat {
    pub(super) progress: Progress,
    /// Busy with one message since the last tick.
    pub(super) stalled: AtomicBool,
    /// Calls the worker out of the driver.
    signal: Signal,
    stealer: Stealer<Scheduled>,
    /// Until the worker's thread takes it.
    queue: Mutex<Option<Queue<Scheduled>>>,
    /// The thread that works here now.
    thread: Mutex<Option<Occupant>>,
}

struct Occupant {
    thread: Thread,
    native: libc::pthread_t,
}

impl Seat {
    fn new() -> Self {
        let queue = Queue::new_fifo();
        Self {
            progress: Progress::default(),
            stalled: AtomicBool::new(false),
            signal: Signal::default(),
            stealer: queue.stealer(),
            queue: Mutex::new(Some(queue)),
            thread: Mutex::default(),
        }
    }

    fn unpark(&self) {
        if let Some(occupant) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            occupant.thread.unpark();
        }
        self.signal.set();
    }

    /// Calls `poke` with the worker's thread, which cannot end meanwhile.
    pub(super) fn with_thread(&self, poke: impl FnOnce(libc::pthread_t)) {
        if let Some(occupant) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            poke(occupant.native);
        }
    }

    /// True when no worker sits here.
    pub(super) fn is_free(&self) -> bool {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Run queues of one node.
pub(super) struct Scheduler {
    /// Work from threads that are no workers.
    injector: Injector<Scheduled>,
    pub(super) seats: Box<[Seat]>,
    /// Seats whose worker is parked.
    parked: Mutex<Vec<usize>>,
    parked_count: AtomicUsize,
    /// Workers awake and looking for work; while one is, no other need be woken.
    searching: AtomicUsize,
    /// Seats from the first on in which a worker has ever sat.
    used: AtomicUsize,
    stopping: AtomicBool,
    driver: OnceLock<Arc<dyn Driver>>,
    /// Some thread is in the driver.
    driven: AtomicBool,
}

/// What the worker of this thread needs at hand.
struct Local {
    scheduler: *const Scheduler,
    seat: usize,
    queue: Queue<Scheduled>,
    /// It waits in the driver, and handles what arrives there.
    driving: Cell<bool>,
    pace: Pace,
}

/// The driver's seat, given up when dropped.
struct Wheel<'a> {
    driver: &'a dyn Driver,
    driven: &'a AtomicBool,
}

impl Drop for Wheel<'_> {
    fn drop(&mut self) {
        self.driven.store(false, Ordering::SeqCst);
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

impl Scheduler {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            injector: Injector::new(),
            seats: (0..threads + MAX_REPLACEMENTS).map(|_| Seat::new()).collect(),
            parked: Mutex::default(),
            parked_count: AtomicUsize::new(0),
            searching: AtomicUsize::new(0),
            used: AtomicUsize::new(threads),
            stopping: AtomicBool::new(false),
            driver: OnceLock::new(),
            driven: AtomicBool::new(false),
        }
    }

    /// Says what idle workers wait in.
    pub(super) fn set_driver(&self, driver: Arc<dyn Driver>) {
        let _ = self.driver.set(driver);
    }

    /// Takes the driver's seat, if there is something to drive and nobody does.
    fn take_wheel(&self) -> Option<Wheel<'_>> {
        let driver = self.driver.get().filter(|driver| driver.is_active())?;
        let taken =
            !self.driven.load(Ordering::Relaxed) && !self.driven.swap(true, Ordering::SeqCst);
        taken.then(|| Wheel { driver: &**driver, driven: &self.driven })
    }

    /// Sees to it that somebody looks at the network; called by the ticker.
    pub(super) fn check_driver(&self) {
        if self.driver.get().is_none_or(|driver| !driver.is_active())
            || self.driven.load(Ordering::SeqCst)
        {
            return;
        }
        if self.parked() > 0 {
            // It finds no work and waits in the driver.
            self.wake_one();
        } else if let Some(wheel) = self.take_wheel() {
            wheel.driver.look();
        }
    }

    /// Puts a service that has just become runnable into a queue.
    #[inline]
    pub(super) fn schedule(&self, service: &Arc<Service>) {
        let service = Scheduled::new(service);
        let left = LOCAL.with_borrow(|local| match local {
            Some(local) if std::ptr::eq(local.scheduler, self) => {
                local.queue.push(service);
                if local.driving.get() {
                    self.seats[local.seat].signal.set();
                } else if local.queue.len() > 1 {
                    self.wake_one();
                }
                None
            }
            _ => Some(service),
        });
        if let Some(service) = left {
            self.injector.push(service);
            std::sync::atomic::fence(Ordering::SeqCst);
            self.wake_one();
        }
    }

    /// Wakes a parked worker unless one is looking for work already.
    #[inline]
    pub(super) fn wake_one(&self) {
        if self.parked_count.load(Ordering::SeqCst) > 0
            && self.searching.load(Ordering::SeqCst) == 0
        {
            self.wake_parked();
        }
    }

    #[cold]
    fn wake_parked(&self) {
        let seat = {
            let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(seat) = parked.pop() else { return };
            self.parked_count.store(parked.len(), Ordering::SeqCst);
            // The woken worker starts out searching; counted here so that nobody else is woken
            // for the same work in between.
            self.searching.fetch_add(1, Ordering::SeqCst);
            seat
        };
        self.seats[seat].unpark();
    }

    /// True when some service waits in a queue that its worker does not get to.
    pub(super) fn has_waiting_work(&self) -> bool {
        !self.injector.is_empty()
            || self
                .used_seats()
                .iter()
                .any(|seat| seat.stalled.load(Ordering::Relaxed) && !seat.stealer.is_empty())
    }

    fn used_seats(&self) -> &[Seat] {
        &self.seats[..self.used.load(Ordering::Relaxed)]
    }

    /// Number of parked workers.
    pub(super) fn parked(&self) -> usize {
        self.parked_count.load(Ordering::SeqCst)
    }

    /// Makes every worker leave its loop.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.seats.iter().for_each(Seat::unpark);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The loop of the worker in `seat`: runs services until the node stops, or until `surplus`
    /// says that this worker is no longer needed.
    pub(super) fn work(
        &self,
        seat: usize,
        run: &mut dyn FnMut(Scheduled) -> bool,
        on_idle: &mut dyn FnMut(),
        surplus: &dyn Fn() -> bool,
    ) {
        let place = &self.seats[seat];
        let Some(queue) = place.queue.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        self.used.fetch_max(seat + 1, Ordering::Relaxed);
        // SAFETY: `pthread_self` has no preconditions.
        let native = unsafe { libc::pthread_self() };
        *place.thread.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Occupant { thread: std::thread::current(), native });
        let driving = Cell::new(false);
        let local = Rc::new(Local { scheduler: self, seat, queue, driving, pace: Pace::new() });
        LOCAL.set(Some(Rc::clone(&local)));
        let mut turns = 0;
        let mut looked = Instant::now();
        while !self.is_stopping() && !surplus() {
            let found = local.queue.pop().or_else(|| self.search(&local));
            if let Some(service) = found {
                if run(service) {
                    // More is pending: back to the end of the queue, so that others get a turn.
                    local.queue.push(service);
                    if local.queue.len() > 1 {
                        self.wake_one();
                    }
                }
                local.pace.turn();
                turns += 1;
                if turns == TURNS_PER_CLOCK {
                    turns = 0;
                    self.look(&mut looked);
                }
            } else {
                on_idle();
                local.pace.rest(Instant::now);
                self.park(&local);
                turns = 0;
            }
        }
        LOCAL.set(None);
        // What is left is for the others, and the seat for a later worker.
        while let Some(service) = local.queue.pop() {
            self.injector.push(service);
        }
        *place.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Ok(Local { queue, .. }) = Rc::try_unwrap(local) {
            *place.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        }
        self.wake_one();
    }

    fn search(&self, local: &Local) -> Option<Scheduled> {
        let Local { seat, queue, pace, .. } = local;
        self.searching.fetch_add(1, Ordering::SeqCst);
        let mut found = None;
        for _ in 0..pace.rounds() {
            found = self.steal(*seat, queue);
            if found.is_some() || self.is_stopping() {
                break;
            }
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
        }
        self.searching.fetch_sub(1, Ordering::SeqCst);
        if found.is_some() {
            self.pass_on(queue);
        }
        found
    }

    /// Called by a worker that was the one looking: what it leaves behind needs another.
    fn pass_on(&self, queue: &Queue<Scheduled>) {
        if queue.len() > 1 || !self.injector.is_empty() {
            self.wake_one();
        }
    }

    fn steal(&self, seat: usize, queue: &Queue<Scheduled>) -> Option<Scheduled> {
        if let Some(service) = retry(|| self.injector.steal_batch_and_pop(queue)) {
            return Some(service);
        }
        let seats = self.used_seats();
        let count = seats.len();
        (1..count).map(|step| &seats[(seat + step) % count]).find_map(|victim| {
            match victim.stealer.len() {
                0 => None,
                1 if !victim.stalled.load(Ordering::Relaxed) => None,
                _ => retry(|| victim.stealer.steal()),
            }
        })
    }

    /// Looks at the network if nobody has for a while.
    fn look(&self, looked: &mut Instant) {
        if self.driver.get().is_none_or(|driver| !driver.is_active()) {
            return;
        }
        let now = Instant::now();
        if now.duration_since(*looked) >= LOOK_EVERY {
            *looked = now;
            if let Some(wheel) = self.take_wheel() {
                wheel.driver.look();
            }
        }
    }

    fn park(&self, local: &Local) {
        let seat = local.seat;
        {
            let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
            parked.push(seat);
            self.parked_count.store(parked.len(), Ordering::SeqCst);
        }
        // Whoever adds work from now on sees the count; look once more for what came before.
        let missed = !self.injector.is_empty()
            || self.used_seats().iter().any(|other| {
                other.stealer.len() > usize::from(!other.stalled.load(Ordering::Relaxed))
            });
        if missed {
            if self.withdraw(seat) {
                return;
            }
            // Somebody has woken this worker meanwhile and counted it as searching.
        } else {
            loop {
                // A call that comes from here on is seen; one before has changed what follows.
                self.seats[seat].signal.reset();
                if self.is_stopping() {
                    return;
                }
                if !self.parked.lock().unwrap_or_else(PoisonError::into_inner).contains(&seat) {
                    break;
                }
                let Some(wheel) = self.take_wheel() else {
                    std::thread::park();
                    continue;
                };
                local.driving.set(true);
                wheel.driver.wait(&self.seats[seat].signal);
                local.driving.set(false);
                drop(wheel);
                if !local.queue.is_empty() {
                    if !self.withdraw(seat) {
                        // Somebody has woken this worker for other work, which it will not look
                        // for now that it has some of its own.
                        self.searching.fetch_sub(1, Ordering::SeqCst);
                    }
                    let worth_it =
                        local.pace.begin(Instant::now(), local.queue.len().saturating_sub(1));
                    if worth_it || !self.injector.is_empty() {
                        self.wake_one();
                    }
                    return;
                }
            }
        }
        self.searching.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes a worker off the list of the parked; false when somebody has done so to wake it.
    fn withdraw(&self, seat: usize) -> bool {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(position) = parked.iter().position(|other| *other == seat) else { return false };
        parked.swap_remove(position);
        self.parked_count.store(parked.len(), Ordering::SeqCst);
        true
    }
}

fn retry<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(value) => return Some(value),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
