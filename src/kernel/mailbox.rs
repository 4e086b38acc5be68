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

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr;

use super::message::{Head, Message, Payload};
use super::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};

struct Node {
    next: AtomicPtr<Node>,
    /// Initialised in every node but the one `tail` points at, whose message was taken.
    message: MaybeUninit<Message>,
}

impl Node {
    /// A node without a message.
    #[inline]
    fn allocate() -> *mut Self {
        match spare::take() {
            // SAFETY: a spare node is a box whose message is gone, owned by nobody else.
            Some(spare) => unsafe {
                (*spare).next.store(ptr::null_mut(), Ordering::Relaxed);
                spare
            },
            None => Self::allocate_new(),
        }
    }

    #[cold]
    fn allocate_new() -> *mut Self {
        let node = Self { next: AtomicPtr::new(ptr::null_mut()), message: MaybeUninit::uninit() };
        Box::into_raw(Box::new(node))
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
#[cfg(not(model))]
mod spare {
    use std::cell::Cell;
    use std::ptr;

    use super::Node;
    use crate::kernel::sync::Ordering;

    /// Nodes one thread keeps: enough for the to and fro of a turn, 16 KiB at most.
    const KEPT: usize = 256;

    /// A list of nodes without messages, linked like those of a mailbox.
    struct Spare {
        first: Cell<*mut Node>,
        count: Cell<usize>,
    }

    impl Spare {
        #[inline]
        fn take(&self) -> Option<*mut Node> {
            let first = self.first.get();
            if first.is_null() {
                return None;
            }
            // SAFETY: a kept node is a box of ours.
            self.first.set(unsafe { (*first).next.load(Ordering::Relaxed) });
            self.count.set(self.count.get() - 1);
            Some(first)
        }
    }

    impl Drop for Spare {
        fn drop(&mut self) {
            while let Some(node) = self.take() {
                // SAFETY: a kept node is a box of ours; its message is gone.
                drop(unsafe { Box::from_raw(node) });
            }
        }
    }

    thread_local! {
        static SPARE: Spare =
            const { Spare { first: Cell::new(ptr::null_mut()), count: Cell::new(0) } };
    }

    #[inline]
    pub(super) fn take() -> Option<*mut Node> {
        // A thread that is ending has no list any more.
        SPARE.try_with(Spare::take).ok().flatten()
    }

    #[inline]
    pub(super) fn keep(node: *mut Node) -> bool {
        let kept = SPARE.try_with(|spare| {
            let room = spare.count.get() < KEPT;
            if room {
                // SAFETY: the caller owns the node.
                unsafe { (*node).next.store(spare.first.get(), Ordering::Relaxed) };
                spare.first.set(node);
                spare.count.set(spare.count.get() + 1);
            }
            room
        });
        kept.unwrap_or(false)
    }
}

/// Under the model checker every node is allocated and freed, so that it sees each use.
#[cfg(model)]
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
        let stub = Node::allocate();
        Self {
            head: AtomicPtr::new(stub),
            tail: Tail(UnsafeCell::new(stub)),
            pending: AtomicUsize::new(0),
        }
    }

    /// Adds a message. When `before` is zero the caller must schedule the service.
    #[inline]
    pub fn push(&self, message: Message) -> Pushed {
        let node = Node::allocate();
        // SAFETY: nobody else knows the node yet.
        unsafe { (*node).message.write(message) };
        self.link(node)
    }

    /// As `push`, of a message with a copy of `bytes`, which is written where it will lie.
    #[inline]
    pub fn push_copy(&self, head: Head, bytes: &[u8]) -> Pushed {
        let node = Node::allocate();
        let Head { source, session, kind } = head;
        // SAFETY: nobody else knows the node yet; every field of its message is written, and a
        // `MaybeUninit` lies like what it may hold.
        unsafe {
            let message = (*node).message.as_mut_ptr();
            (&raw mut (*message).source).write(source);
            (&raw mut (*message).session).write(session);
            (&raw mut (*message).kind).write(kind);
            let payload = (&raw mut (*message).payload).cast::<MaybeUninit<Payload>>();
            Payload::write_copy(&mut *payload, bytes);
        }
        self.link(node)
    }

    /// Appends a node with a message.
    #[inline]
    fn link(&self, node: *mut Node) -> Pushed {
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
        // SAFETY: the caller's promise; the result is used up here.
        unsafe { self.take() }.map(Taken::into_message)
    }

    /// As `pop`, but leaves the message where it lies.
    ///
    /// # Safety
    /// As for `pop`; and the result is dropped before the next message is taken.
    #[inline]
    pub unsafe fn take(&self) -> Option<Taken<'_>> {
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
                Some(Taken { message: (*next).message.as_mut_ptr(), mailbox: PhantomData })
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

/// A message that is off the queue and still lies in its node, the one `tail` points at, until it
/// is dropped.
pub struct Taken<'a> {
    message: *mut Message,
    mailbox: PhantomData<&'a Mailbox>,
}

impl Taken<'_> {
    /// Moves the message out.
    #[inline]
    pub fn into_message(self) -> Message {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: the message is initialised (invariant of `Node`) and not dropped here.
        unsafe { this.message.read() }
    }
}

impl Deref for Taken<'_> {
    type Target = Message;

    #[inline]
    fn deref(&self) -> &Message {
        // SAFETY: the node lives until the next message is taken, which `take` forbids meanwhile.
        unsafe { &*self.message }
    }
}

impl DerefMut for Taken<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Message {
        // SAFETY: as in `deref`; the consumer alone uses the message.
        unsafe { &mut *self.message }
    }
}

impl fmt::Debug for Taken<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as in `deref`; from here on the node counts as emptied.
        unsafe { ptr::drop_in_place(self.message) };
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

#[cfg(all(test, not(model)))]
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
    fn a_message_handled_where_it_lies_frees_its_block_and_leaves_the_next_one_alone() {
        let mailbox = Mailbox::new();
        let head = |number| Head { source: None, session: Session(number), kind: Kind::LUA };
        mailbox.push_copy(head(1), &[7; 100]);
        mailbox.push_copy(head(2), b"short");
        for (number, bytes) in [(1, &[7; 100][..]), (2, b"short")] {
            // SAFETY: one thread, and the one before is dropped.
            let mut taken = unsafe { mailbox.take() }.unwrap();
            assert_eq!((taken.session, taken.kind), (Session(number), Kind::LUA));
            assert_eq!(taken.payload.as_slice(), bytes);
            taken.payload = Payload::EMPTY;
        }
        // SAFETY: one thread.
        assert!(unsafe { mailbox.take() }.is_none());
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
