//! The node's clock: centiseconds since start, seconds of the wall clock at start, and the
//! monotonic nanoseconds behind both.
//!
//! Invariant: `now` never goes back, whatever happens to the wall clock.
//! A stopped clock that a test advances by hand stands in for the real one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The unit scripts count time in: one hundredth of a second.
pub const CENTISECOND: Duration = Duration::from_millis(10);

/// Source of a node's time.
pub struct Clock {
    source: Source,
    /// Wall clock at start, whole seconds.
    start_seconds: u64,
    /// The part of the wall clock at start below a second; `now` starts at it, so that
    /// `start_seconds + now / 100` is the wall clock.
    start_fraction: Duration,
}

enum Source {
    Real(Instant),
    /// Nanoseconds since start, moved by a test.
    Manual(AtomicU64),
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            source: Source::Real(Instant::now()),
            start_seconds: wall.as_secs(),
            start_fraction: Duration::from_nanos(u64::from(wall.subsec_nanos())),
        }
    }

    /// A clock that stands still at `start_seconds` until `advance` moves it.
    pub fn manual(start_seconds: u64) -> Self {
        Self {
            source: Source::Manual(AtomicU64::new(0)),
            start_seconds,
            start_fraction: Duration::ZERO,
        }
    }

    /// Moves a manual clock on; a real clock does not let itself be moved.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(nanoseconds) = &self.source {
            nanoseconds
                .fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// True for a clock that a test moves.
    pub fn is_manual(&self) -> bool {
        matches!(self.source, Source::Manual(_))
    }

    /// Time since the node started.
    #[inline]
    pub fn elapsed(&self) -> Duration {
        match &self.source {
            Source::Real(start) => start.elapsed(),
            Source::Manual(nanoseconds) => Duration::from_nanos(nanoseconds.load(Ordering::SeqCst)),
        }
    }

    /// `skynet.now()`: centiseconds, starting at the fraction of the second the node started in.
    pub fn now(&self) -> u64 {
        let now = self.elapsed() + self.start_fraction;
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX) / 10
    }

    /// `skynet.starttime()`: seconds of the wall clock when the node started.
    pub fn start_seconds(&self) -> u64 {
        self.start_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(1_000);
        assert_eq!((clock.now(), clock.start_seconds()), (0, 1_000));
        clock.advance(Duration::from_millis(25));
        assert_eq!(clock.now(), 2);
    }

    #[test]
    fn the_real_clock_starts_within_the_first_second() {
        assert!(Clock::real().now() < 200);
    }
}
