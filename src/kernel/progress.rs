//! What one worker is doing, written by the worker and read by the watchdog.
//!
//! Invariant: only the worker writes; the version changes with every message, so an unchanged
//! version means "still in the same message".

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::handle::Handle;

/// Progress of one worker.
#[derive(Debug, Default)]
pub(super) struct Progress {
    version: AtomicU64,
    service: AtomicU32,
    source: AtomicU32,
}

/// A reading of `Progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) version: u64,
    pub(super) service: Option<Handle>,
    pub(super) source: Option<Handle>,
}

impl Progress {
    /// The worker begins a message from `source` to `service`, or the end of `service`.
    #[inline]
    pub(super) fn begin(&self, service: Handle, source: Option<Handle>) {
        // Only this thread writes, so no read-modify-write is needed.
        self.version.store(self.version.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.source.store(source.map_or(0, Handle::number), Ordering::Relaxed);
        self.service.store(service.number(), Ordering::Relaxed);
    }

    /// The worker is between services.
    #[inline]
    pub(super) fn rest(&self) {
        self.service.store(0, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Reading {
        Reading {
            version: self.version.load(Ordering::Relaxed),
            service: Handle::new(self.service.load(Ordering::Relaxed)),
            source: Handle::new(self.source.load(Ordering::Relaxed)),
        }
    }
}
