//! Driver: what a worker does instead of sleeping while the node has connections.
//!
//! An idle worker waits for the network itself and handles what arrives on its own thread, so
//! that a message from a peer reaches a service without a second thread being woken. One thread at
//! a time does so. While all are busy, workers look in between two turns, and the ticker sees to it
//! that somebody does.
//!
//! Invariant: a thread that waits in the driver leaves it as soon as its signal is set.
//! Not here: what waiting is (`net::Io`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Waits for the outside world.
pub trait Driver: Send + Sync {
    /// True once there is something to wait for.
    fn is_active(&self) -> bool;

    /// Has `begun` called when there is something to wait for at last.
    fn on_begin(&self, begun: Box<dyn Fn() + Send + Sync>);

    /// Waits for events and handles them on this thread until `signal` is set.
    fn wait(&self, signal: &Signal);

    /// Handles what has happened already, without waiting.
    fn look(&self);
}

/// Calls a thread out of the driver.
#[derive(Debug, Default)]
pub struct Signal {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Signal {
    /// Calls the thread out, or keeps it from going in.
    pub fn set(&self) {
        if !self.set.swap(true, Ordering::SeqCst) {
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Forgets an earlier call.
    pub(super) fn reset(&self) {
        self.set.store(false, Ordering::SeqCst);
    }

    /// Ready once the signal is set.
    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.set.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        // It may have been set before the waker was there to be seen.
        if self.set.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_signal_wakes_once_and_holds_until_it_is_reset() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let context = Context::from_waker(&waker);
        let signal = Signal::default();
        assert_eq!(signal.poll(&context), Poll::Pending);
        signal.set();
        signal.set();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(signal.poll(&context), Poll::Ready(()));
        signal.reset();
        assert_eq!(signal.poll(&context), Poll::Pending);
    }
}
