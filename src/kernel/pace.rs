//! Pace: what a worker that handles the network knows of its work, so that it neither looks for
//! other work in vain nor wakes another worker for less than waking costs.
//!
//! Invariant: a search looks at every queue at least once, and long work is passed on.
//! Not here: searching and waking (`scheduler.rs`).

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Rounds of a search. With the pauses between them they take some ten microseconds: long enough
/// to catch the next step of work that hops between cores, since waking a parked worker costs as
/// much; short, since the cores are shared with others.
const ROUNDS: usize = 16;

/// Work that waits, as time it is expected to take, for which another worker is woken. Waking one
/// and moving the work to another core costs both a good part of this.
const WORTH_A_WAKE: Duration = Duration::from_micros(100);

/// What one worker knows.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the worker came from the network with work, until it is idle again.
    since: Cell<Option<Instant>>,
    /// Turns from then on.
    turns: Cell<u32>,
    /// What a turn with messages of the network took lately.
    cost: Cell<Duration>,
}

impl Pace {
    /// Knows nothing: wakes others at once.
    pub(super) const fn new() -> Self {
        Self { since: Cell::new(None), turns: Cell::new(0), cost: Cell::new(WORTH_A_WAKE) }
    }

    /// Rounds that a search has now: one for a worker whose next work comes from the network, for
    /// which it can wait better than by looking.
    pub(super) const fn rounds(&self) -> usize {
        match self.since.get() {
            Some(_) => 1,
            None => ROUNDS,
        }
    }

    /// The worker comes from the network, and `waiting` services are runnable behind the one it
    /// runs now. True when they are worth waking another worker.
    pub(super) fn begin(&self, now: Instant, waiting: usize) -> bool {
        self.since.set(Some(now));
        self.turns.set(0);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        self.cost.get().saturating_mul(waiting) >= WORTH_A_WAKE
    }

    /// The worker has run a service.
    pub(super) fn turn(&self) {
        self.turns.set(self.turns.get().wrapping_add(1));
    }

    /// The worker has nothing to do.
    pub(super) fn rest(&self, now: impl FnOnce() -> Instant) {
        let Some(since) = self.since.take() else { return };
        let Some(turns) = Some(self.turns.get()).filter(|turns| *turns > 0) else { return };
        let cost = now().saturating_duration_since(since) / turns;
        self.cost.set((self.cost.get() * 3 + cost) / 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_the_network_and_the_network_a_search_is_short() {
        let pace = Pace::new();
        assert_eq!(pace.rounds(), ROUNDS);
        pace.begin(Instant::now(), 0);
        assert_eq!(pace.rounds(), 1);
        pace.rest(Instant::now);
        assert_eq!(pace.rounds(), ROUNDS);
    }

    #[test]
    fn another_worker_is_woken_for_many_short_turns_or_one_that_is_long() {
        let pace = Pace::new();
        let start = Instant::now();
        assert!(pace.begin(start, 1));
        assert!(!pace.begin(start, 0));
        let period = |turns: u32, cost: Duration| {
            for _ in 0..20 {
                pace.begin(start, 0);
                (0..turns).for_each(|_| pace.turn());
                pace.rest(|| start + cost * turns);
            }
        };
        period(4, Duration::from_micros(20));
        assert!(!pace.begin(start, 3));
        assert!(pace.begin(start, 6));
        period(1, Duration::from_millis(2));
        assert!(pace.begin(start, 1));
    }

    #[test]
    fn a_period_without_turns_or_network_teaches_nothing() {
        let pace = Pace::new();
        let start = Instant::now();
        pace.begin(start, 0);
        pace.rest(|| start);
        pace.turn();
        pace.rest(|| panic!("asked for the time"));
        assert!(pace.begin(start, 1));
    }
}
