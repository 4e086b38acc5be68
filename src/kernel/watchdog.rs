//! Watchdog: telling who runs too long, and interrupting it.
//!
//! The ticker (`ticker.rs`) notices; what happens on the worker's thread is the poke's business
//! (`NodeOptions::poke`). Invariant: a poke reaches a thread only while it sits in its seat.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::handle::Handle;
use super::node::Node;
use super::progress::Reading;
use super::scheduler::Seat;
use super::service::Service;

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

impl Node {
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
    pub(super) fn watched(&self, handle: Handle) -> Option<Arc<Service>> {
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
}
