//! Time limits of connections: opening handshake, answer to a close frame, silence.
//!
//! A connection knows its next deadline; here is who looks at it then. An entry that turns out to
//! be early is put back, so that traffic, which moves the deadline of silence, costs nothing.
//! Invariant: a watched connection has an entry at or before its deadline.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Connection;
use crate::net::Io;

struct Entry {
    at: Instant,
    connection: Weak<Connection>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

/// The deadlines of a node's connections.
pub struct Deadlines {
    /// Where the task runs; `None` when the time is moved by hand.
    io: Option<Arc<Io>>,
    running: AtomicBool,
    entries: Mutex<BinaryHeap<Reverse<Entry>>>,
    earlier: Notify,
    epoch: Instant,
    /// Milliseconds moved by hand.
    moved: AtomicU64,
}

impl Deadlines {
    /// Deadlines by the clock. The task that looks at them starts with the first.
    pub fn new(io: Arc<Io>) -> Arc<Self> {
        Self::with(Some(io))
    }

    /// Deadlines whose time stands still except for `advance`.
    pub fn manual() -> Arc<Self> {
        Self::with(None)
    }

    fn with(io: Option<Arc<Io>>) -> Arc<Self> {
        Arc::new(Self {
            io,
            running: AtomicBool::new(false),
            entries: Mutex::default(),
            earlier: Notify::new(),
            epoch: Instant::now(),
            moved: AtomicU64::new(0),
        })
    }

    /// The time.
    pub fn now(&self) -> Instant {
        match self.io {
            Some(_) => Instant::now(),
            None => self.epoch + Duration::from_millis(self.moved.load(RELAXED)),
        }
    }

    /// Moves the time of `manual` on.
    pub fn advance(&self, by: Duration) {
        self.moved.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), RELAXED);
        self.look(self.now());
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at `connection` at that time.
    pub fn watch(self: &Arc<Self>, connection: &Weak<Connection>, at: Instant) {
        let first = {
            let mut entries = self.lock();
            let first = entries.peek().is_none_or(|Reverse(entry)| at < entry.at);
            entries.push(Reverse(Entry { at, connection: Weak::clone(connection) }));
            first
        };
        let Some(io) = &self.io else { return };
        if !self.running.swap(true, std::sync::atomic::Ordering::AcqRel) {
            // Without I/O there is no connection that could need it.
            let _ = io.spawn(run(Arc::downgrade(self)));
        } else if first {
            self.earlier.notify_one();
        }
    }

    /// Looks at what is due; the time of the next entry.
    fn look(&self, now: Instant) -> Option<Instant> {
        let mut due = Vec::new();
        {
            let mut entries = self.lock();
            while entries.peek().is_some_and(|Reverse(entry)| entry.at <= now) {
                due.extend(entries.pop().map(|Reverse(entry)| entry.connection));
            }
        }
        for connection in due {
            let next = connection.upgrade().and_then(|connection| connection.check(now));
            if let Some(at) = next {
                self.lock().push(Reverse(Entry { at, connection }));
            }
        }
        self.lock().peek().map(|Reverse(entry)| entry.at)
    }
}

const RELAXED: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;

/// Shortest pause between two looks, so that a crowd of deadlines is taken together.
const PAUSE: Duration = Duration::from_millis(5);

/// Pause while nothing is watched.
const IDLE: Duration = Duration::from_secs(3600);

async fn run(deadlines: Weak<Deadlines>) {
    loop {
        let Some(ours) = deadlines.upgrade() else { return };
        let now = ours.now();
        let next = ours.look(now).map_or(IDLE, |at| at.saturating_duration_since(now).max(PAUSE));
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = ours.earlier.notified() => {}
        }
    }
}
