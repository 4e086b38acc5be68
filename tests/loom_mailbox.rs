//! Model of the hand-off between threads: every interleaving of pushes with the consumer's turns.
//!
//! Run by `make loom` (`RUSTFLAGS="--cfg model"`); an empty test otherwise.
#![cfg(model)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use node::kernel::mailbox::Mailbox;
use node::kernel::{Kind, Message, Session};

/// A service as the scheduler treats it, without the scheduler.
struct Service {
    mailbox: Mailbox,
    /// What the actor owns: loom fails the model when two threads touch it at once.
    handled: UnsafeCell<Vec<i32>>,
    turns_owed: AtomicUsize,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mailbox: Mailbox::new(),
            handled: UnsafeCell::new(Vec::new()),
            turns_owed: AtomicUsize::new(0),
        })
    }

    /// Sends a message; the one who wakes the service runs it, as a worker would.
    fn send(&self, session: i32) {
        let message = Message::empty(None, Session(session), Kind::TEXT);
        if self.mailbox.push(message).before == 0 {
            self.run();
        }
    }

    fn run(&self) {
        loop {
            let budget = self.mailbox.pending();
            let mut taken = 0;
            while taken < budget {
                // SAFETY: this thread holds the scheduling right, which is what the model tests.
                let Some(message) = (unsafe { self.mailbox.pop() }) else { break };
                // SAFETY: as above; loom checks it.
                self.handled.with_mut(|handled| unsafe { (*handled).push(message.session.0) });
                taken += 1;
            }
            if !self.mailbox.settle(taken) {
                return;
            }
            if taken == 0 {
                // A pusher has counted its message and not linked an earlier one yet.
                loom::thread::yield_now();
            }
        }
    }
}

#[test]
fn every_message_is_handled_once_and_by_one_thread_at_a_time() {
    loom::model(|| {
        let service = Service::new();
        let other = Arc::clone(&service);
        let pusher = loom::thread::spawn(move || {
            other.send(11);
            other.send(12);
        });
        service.send(21);
        pusher.join().unwrap();
        assert_eq!(service.mailbox.pending(), 0, "nobody owes a turn any more");
        // SAFETY: all threads have ended.
        service.handled.with(|handled| unsafe {
            let handled = &*handled;
            assert_eq!(handled.len(), 3, "nothing is lost or doubled: {handled:?}");
            let first = handled.iter().position(|session| *session == 11);
            let second = handled.iter().position(|session| *session == 12);
            assert!(first < second, "one sender's messages keep their order");
        });
    });
}

#[test]
fn a_claim_wakes_an_idle_service_exactly_once() {
    loom::model(|| {
        let service = Service::new();
        let other = Arc::clone(&service);
        let retiring = loom::thread::spawn(move || {
            if other.mailbox.claim().before == 0 {
                other.turns_owed.fetch_add(1, Ordering::SeqCst);
            }
        });
        let message = Message::empty(None, Session(1), Kind::TEXT);
        if service.mailbox.push(message).before == 0 {
            service.turns_owed.fetch_add(1, Ordering::SeqCst);
        }
        retiring.join().unwrap();
        assert_eq!(service.turns_owed.load(Ordering::SeqCst), 1);
        assert_eq!(service.mailbox.pending(), 2);
    });
}
