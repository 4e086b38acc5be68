//! Mailbox: the queue of one service, and the counter that decides who may run the service.
//!
//! Many threads push, one consumer pops. Messages of one sender keep their order. The counter
//! `pending` is the whole scheduling protocol: the push that raises it from zero obliges its
//! caller to schedule the service, and the consumer that cannot bring it back to zero keeps that
//! obligation. So a service with messages is scheduled exactly once, and runs on one thread.
//!
//! Invariant: `pending` never counts a message whose node has not been exchanged into the list.
//! A node may be counted while its link is still being written by a preempted pusher; `pop` then
//! says "nothing yet" and the consumer comes back later instead of spinning.
//!
//! The list is the non-intrusive queue of Dmitry Vyukov: one exchange for a push, no loop.

use std::mem::MaybeUninit;
use std::ptr;

use super::message::Message;
use super::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};

struct Node {
    next: AtomicPtr<Node>,
    /// Initialised in every node but the one `tail` points at, whose message was taken.
    message: MaybeUninit<Message>,
}

impl Node {
    #[inline]
    fn allocate(message: MaybeUninit<Message>) -> *mut Self {
        let node = Self { next: AtomicPtr::new(ptr::null_mut()), message };
        match spare::take() {
            // SAFETY: a spare node is a box without contents, owned by nobody else.
            Some(spare) => unsafe {
                spare.write(node);
                spare
            },
            None => Box::into_raw(Box::new(node)),
        }
    }

    /// Takes back a node whose message is gone.
    ///
    /// # Safety
    /// `node` came from `allocate`, and nobody uses it any more.
    #[inline]
    unsafe fn free(node: *mut Self) {
        if !spare::keep(node) {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(node) });
        }
    }
}

/// Nodes kept by each thread for its next pushes: a message between services of one worker then
/// costs no allocation.
#[cfg(not(loom))]
mod spare {
    use std::cell::RefCell;

    use super::Node;

    /// Nodes one thread keeps: enough for the to and fro of a turn, 16 KiB at most.
    const KEPT: usize = 256;

    struct Spare(Vec<*mut Node>);

    impl Drop for Spare {
        fn drop(&mut self) {
            for node in self.0.drain(..) {
                // SAFETY: a kept node is a box of ours; its message is gone.
                drop(unsafe { Box::from_raw(node) });
            }
        }
    }

    thread_local! {
        static SPARE: RefCell<Spare> = const { RefCell::new(Spare(Vec::new())) };
    }

    #[inline]
    pub(super) fn take() -> Option<*mut Node> {
        // A thread that is ending has no list any more.
        SPARE.try_with(|spare| spare.borrow_mut().0.pop()).ok().flatten()
    }

    #[inline]
    pub(super) fn keep(node: *mut Node) -> bool {
        let kept = SPARE.try_with(|spare| {
            let list = &mut spare.borrow_mut().0;
            let room = list.len() < KEPT;
            if room {
                list.push(node);
            }
            room
        });
        kept.unwrap_or(false)
    }
}

/// Under the model checker every node is allocated and freed, so that it sees each use.
#[cfg(loom)]
mod spare {
    use super::Node;

    pub(super) fn take() -> Option<*mut Node> {
        None
    }

    pub(super) fn keep(_node: *mut Node) -> bool {
        false
    }
}

/// The queue of one service. What pushers write and what the consumer writes are on cache lines of
/// their own, since the two run on different cores most of the time.
#[repr(C, align(64))]
pub struct Mailbox {
    /// Newest node; pushers exchange it.
    head: AtomicPtr<Node>,
    /// Messages pushed and not yet settled by the consumer, and credits of `claim`.
    pending: AtomicUsize,
    tail: Tail,
}

/// Oldest node, already emptied; only the consumer touches it.
#[repr(align(64))]
struct Tail(UnsafeCell<*mut Node>);

// SAFETY: pushers share only the atomics; `tail` is used by the one consumer, which the contract
// of the consumer functions demands. Messages are `Send`.
unsafe impl Send for Mailbox {}
// SAFETY: as above.
unsafe impl Sync for Mailbox {}

/// What a push found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// Messages that were pending before this one; zero obliges the pusher to schedule.
    pub before: usize,
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new() -> Self {
        let stub = Node::allocate(MaybeUninit::uninit());
        Self {
            head: AtomicPtr::new(stub),
            tail: Tail(UnsafeCell::new(stub)),
            pending: AtomicUsize::new(0),
        }
    }

    /// Adds a message. When `before` is zero the caller must schedule the service.
    #[inline]
    pub fn push(&self, message: Message) -> Pushed {
        let node = Node::allocate(MaybeUninit::new(message));
        let previous = self.head.swap(node, Ordering::AcqRel);
        // SAFETY: `previous` is not freed before its link is set: the consumer frees a node only
        // after following its `next`, and this thread is the only one to write that link.
        unsafe { (*previous).next.store(node, Ordering::Release) };
        Pushed { before: self.pending.fetch_add(1, Ordering::SeqCst) }
    }

    /// Raises the counter without a message, so that the service is run once more even when it
    /// is idle. The credit is never settled. The result obliges as that of `push`.
    pub fn claim(&self) -> Pushed {
        Pushed { before: self.pending.fetch_add(1, Ordering::SeqCst) }
    }

    /// Messages pushed and not settled.
    #[inline]
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    /// Takes the oldest message; `None` when there is none or its pusher is not done yet.
    ///
    /// # Safety
    /// The caller is the only consumer: it holds the scheduling right, or the lock under which a
    /// closed mailbox is drained.
    #[inline]
    pub unsafe fn pop(&self) -> Option<Message> {
        self.tail.0.with_mut(|tail| {
            // SAFETY: only the consumer touches `tail`, and it always points at a live node.
            unsafe {
                let emptied = *tail;
                let next = (*emptied).next.load(Ordering::Acquire);
                if next.is_null() {
                    return None;
                }
                *tail = next;
                Node::free(emptied);
                Some((*next).message.assume_init_read())
            }
        })
    }

    /// Settles `taken` messages. True means that more are pending and the caller, who keeps the
    /// right to run the service, must schedule it again.
    #[inline]
    pub fn settle(&self, taken: usize) -> bool {
        self.pending.fetch_sub(taken, Ordering::AcqRel) != taken
    }

    /// Visits the queued messages, oldest first, without taking them.
    ///
    /// # Safety
    /// As for `pop`.
    pub unsafe fn visit(&self, mut visitor: impl FnMut(&Message)) {
        self.tail.0.with(|tail| {
            // SAFETY: only the consumer frees nodes, and it is busy here; every node after the
            // emptied one holds a message.
            unsafe {
                let mut node = (**tail).next.load(Ordering::Acquire);
                while !node.is_null() {
                    visitor((*node).message.assume_init_ref());
                    node = (*node).next.load(Ordering::Acquire);
                }
            }
        });
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // SAFETY: `&mut self` excludes every other user.
        unsafe {
            while self.pop().is_some() {}
            self.tail.0.with_mut(|tail| drop(Box::from_raw(*tail)));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::message::{Kind, Session};
    use super::*;

    fn message(number: i32) -> Message {
        Message::empty(None, Session(number), Kind::TEXT)
    }

    #[test]
    fn the_push_that_finds_the_mailbox_idle_is_told_so() {
        let mailbox = Mailbox::new();
        assert_eq!(mailbox.push(message(1)).before, 0);
        assert_eq!(mailbox.push(message(2)).before, 1);
        // SAFETY: one thread.
        let taken = unsafe { mailbox.pop() };
        assert_eq!(taken.map(|message| message.session), Some(Session(1)));
        assert!(mailbox.settle(1), "one message is left, so the consumer keeps the right");
    }

    #[test]
    fn many_senders_keep_their_own_order_and_nothing_is_lost() {
        const SENDERS: i32 = 4;
        const EACH: i32 = 20_000;
        let mailbox = Mailbox::new();
        let mut last = [0; SENDERS as usize];
        let mut received = 0;
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let mailbox = &mailbox;
                scope.spawn(move || {
                    for number in 1..=EACH {
                        mailbox.push(message(sender * 1_000_000 + number));
                    }
                });
            }
            while received < SENDERS * EACH {
                // SAFETY: this is the only consuming thread.
                let Some(message) = (unsafe { mailbox.pop() }) else {
                    std::hint::spin_loop();
                    continue;
                };
                let sender = usize::try_from(message.session.0 / 1_000_000).unwrap();
                assert_eq!(message.session.0 % 1_000_000, last[sender] + 1);
                last[sender] += 1;
                received += 1;
            }
        });
        mailbox.settle(usize::try_from(received).unwrap());
        assert_eq!(mailbox.pending(), 0);
    }
}
