//! The store's time: milliseconds of the wall clock, by which keys expire.
//!
//! Invariant: the store asks only here, so that a test moves all of its time by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Source of the store's time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Microseconds since 1970, moved by a test.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands still at `milliseconds` until `advance` moves it.
    pub fn manual(milliseconds: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(milliseconds * 1000)))
    }

    /// Moves a manual clock on; the machine's clock does not let itself be moved.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(time) = self {
            time.fetch_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// Microseconds since 1970.
    pub fn microseconds(&self) -> u64 {
        match self {
            Self::System => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
            }
            Self::Manual(time) => time.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(&self) -> u64 {
        self.microseconds() / 1000
    }
}
