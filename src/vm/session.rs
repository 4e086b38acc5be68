//! Sessions: which thread waits for which answer, and which answers the service still owes.
//!
//! Invariant: a session of a request is in the table exactly as long as an answer to it can
//! come; a late answer to a sleeper that was woken is swallowed once.

use std::collections::HashMap;
use std::ffi::c_int;
use std::hash::{BuildHasherDefault, Hasher};

use super::thread::{Request, ThreadId};
use crate::kernel::{Handle, Session};

/// Hash of session numbers: they are counted up, so a multiplication spreads them well enough,
/// and nobody but the service itself chooses them.
#[derive(Default, Clone, Copy, Debug)]
pub struct SessionHasher(u64);

impl Hasher for SessionHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    #[inline]
    fn write_i32(&mut self, number: i32) {
        self.0 = u64::from(number.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// What happens when the answer comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiter {
    /// This thread goes on.
    Thread(ThreadId),
    /// A coroutine is taken for the timer's function, whose reference in the table of timer
    /// functions this is.
    Function(c_int),
    /// Nothing: whoever waited has been woken already.
    Swallow,
}

/// Open sessions of one service.
#[derive(Debug, Default)]
pub struct Sessions {
    last: i32,
    waiters: HashMap<Session, Waiter, BuildHasherDefault<SessionHasher>>,
}

impl Sessions {
    /// A new session number: they count from 1 and start again after 2^31-1, passing over those
    /// still in use.
    #[inline]
    pub fn allocate(&mut self) -> Session {
        loop {
            self.last = if self.last == i32::MAX { 1 } else { self.last + 1 };
            let session = Session(self.last);
            // Before the first wrap a number cannot be in use, but the table knows best.
            if !self.waiters.contains_key(&session) {
                return session;
            }
        }
    }

    /// Notes who waits.
    #[inline]
    pub fn insert(&mut self, session: Session, waiter: Waiter) {
        self.waiters.insert(session, waiter);
    }

    /// Takes out who waits.
    #[inline]
    pub fn remove(&mut self, session: Session) -> Option<Waiter> {
        self.waiters.remove(&session)
    }

    /// Who waits.
    pub fn get(&self, session: Session) -> Option<Waiter> {
        self.waiters.get(&session).copied()
    }

    /// Every session with a thread that waits for it.
    pub fn threads(&self) -> impl Iterator<Item = (Session, ThreadId)> {
        self.waiters.iter().filter_map(|(session, waiter)| match waiter {
            Waiter::Thread(id) => Some((*session, *id)),
            Waiter::Function(_) | Waiter::Swallow => None,
        })
    }

    /// Number of sessions somebody waits for.
    pub fn waiting(&self) -> usize {
        self.waiters.values().filter(|waiter| **waiter != Waiter::Swallow).count()
    }
}

/// One answer taken over by `skynet.response`.
#[derive(Clone, Copy, Debug)]
pub struct OpenResponse {
    /// Whom to answer.
    pub request: Request,
    /// Cleared when the requester is known to be gone.
    pub wanted: bool,
}

/// Answers that the service still owes, by a number that the closure holds.
#[derive(Debug, Default)]
pub struct Responses {
    last: i64,
    open: HashMap<i64, OpenResponse>,
}

impl Responses {
    /// Takes a request over.
    pub fn open(&mut self, request: Request) -> i64 {
        self.last += 1;
        self.open.insert(self.last, OpenResponse { request, wanted: true });
        self.last
    }

    /// The open response with this number.
    pub fn get(&self, number: i64) -> Option<OpenResponse> {
        self.open.get(&number).copied()
    }

    /// Takes it out to be answered.
    pub fn take(&mut self, number: i64) -> Option<OpenResponse> {
        self.open.remove(&number)
    }

    /// Everything still owed.
    pub fn drain(&mut self) -> impl Iterator<Item = OpenResponse> {
        std::mem::take(&mut self.open).into_values()
    }

    /// Notes that `requester` is gone.
    pub fn requester_gone(&mut self, requester: Handle) {
        for response in self.open.values_mut() {
            if response.request.source == Some(requester) {
                response.wanted = false;
            }
        }
    }
}

/// Tracing of requests through services (`skynet.trace`).
#[derive(Debug, Default)]
pub struct Trace {
    /// Tag that came for the next request of a source.
    pub incoming: HashMap<Handle, Box<[u8]>>,
    /// Tag of each thread that is traced.
    pub tags: HashMap<ThreadId, Box<[u8]>>,
    /// Counter of tags started here.
    pub last: u64,
    /// `skynet.trace_timeout`: remember where timers were set.
    pub timers: bool,
    /// Where the timers that run were set, while that is remembered.
    pub origins: HashMap<ThreadId, Box<[u8]>>,
    /// `skynet.traceproto`: per message type, always or never.
    pub protocols: HashMap<u8, bool>,
}

/// Reference that stands for "not set".
pub const NO_REFERENCE: c_int = mlua::ffi::LUA_NOREF;
