//! Turns: what a worker does with a service it took from a queue, and the workers themselves.
//!
//! Invariant: a turn is given only by the holder of the scheduling right, and it handles a bounded
//! number of messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::driver::Driver;
use super::handle::Handle;
use super::message::Kind;
use super::node::Node;
use super::scheduler::{Scheduled, Seat};
use super::service::{Inbox, OVERLOAD_WARNING, Service};
use super::stamp::Stamp;

/// Most messages a service handles in one turn before others get theirs. Large enough that the
/// cost of a turn vanishes, small enough that a turn of microsecond handlers stays far below a
/// millisecond.
const TURN: usize = 128;

impl Node {
    /// Says what idle workers wait in; without it they just sleep.
    pub fn set_driver(self: &Arc<Self>, driver: Arc<dyn Driver>) {
        let node = Arc::downgrade(self);
        driver.on_begin(Box::new(move || {
            // Workers that sleep already have to begin to wait in the driver.
            if let Some(node) = node.upgrade() {
                node.scheduler.wake_one();
            }
        }));
        self.scheduler.set_driver(driver);
    }

    pub(super) fn spawn_worker(self: &Arc<Self>, seat: usize) {
        let node = Arc::clone(self);
        self.spawn(&format!("worker {seat}"), move || {
            let turn_end = std::cell::Cell::new(node.stamps.now());
            let idle = std::cell::Cell::new(true);
            node.scheduler.work(
                seat,
                &mut |service| {
                    if idle.replace(false) {
                        turn_end.set(node.stamps.now());
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
        if added < stuck
            && let Some(free) = spare.iter().position(Seat::is_free)
        {
            self.spawn_worker(self.options.threads + free);
        }
    }

    /// Gives a service one turn. True when it must be scheduled again.
    pub(super) fn run_turn(
        &self,
        scheduled: Scheduled,
        seat: &Seat,
        turn_end: &std::cell::Cell<Stamp>,
    ) -> bool {
        let service = scheduled.service();
        if service.is_retired() {
            let service = scheduled.to_counted();
            // The end of a service runs its finalizers: the watchdog has to see it as well.
            seat.progress.begin(service.handle, None);
            self.close(&service);
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
            let now = self.stamps.now();
            add(&service.stats.busy, now.ticks_since(turn_end.replace(now)));
        }
        if outcome.is_err() {
            self.log(Some(service.handle), "a native function panicked; the service ends");
            self.retire(service.handle);
        }
        if service.mailbox.pending() == taken {
            service.stats.overload_at.store(OVERLOAD_WARNING, Ordering::Relaxed);
        }
        // With the right gives up the service: another worker may run and close it from here on.
        service.mailbox.settle(taken)
    }

    /// Logs the length of a queue that grew too long, what is in it, and whose it is.
    #[cold]
    pub(super) fn warn_of_overload(&self, service: &Service, pending: usize) {
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
