//! Sessions: which thread waits for which answer, and which answers the service still owes.
//!
//! Invariant: a session of a request is in the table exactly as long as an answer to it can
//! come; a late answer to a sleeper that was woken is swallowed once. It is in one of the two
//! places of the table.

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

/// Slots of the ring when the first session is noted.
const FIRST_RING: usize = 4;
/// Most slots of the ring, 12 KiB: more calls at a time than a busy service has under way.
const LARGEST_RING: usize = 1024;

/// Open sessions of one service.
///
/// Sessions count up and most are answered soon, so those that are open lie close together: a ring
/// indexed by the number finds them without hashing. What is still open when the ring comes round
/// stands in the way of a later one, which goes to the map.
#[derive(Debug, Default)]
pub struct Sessions {
    last: i32,
    /// None, or a power of two of them.
    ring: Vec<Slot>,
    /// Slots in use.
    used: usize,
    others: HashMap<Session, Waiter, BuildHasherDefault<SessionHasher>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    session: Session,
    waiter: Option<Waiter>,
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
            if self.get(session).is_none() {
                return session;
            }
        }
    }

    #[inline]
    fn position(&self, session: Session) -> usize {
        // The length is zero or a power of two; zero gives a position that no slot has.
        session.0.cast_unsigned() as usize & self.ring.len().wrapping_sub(1)
    }

    /// The slot that holds `session`.
    #[inline]
    fn slot(&mut self, session: Session) -> Option<&mut Slot> {
        let position = self.position(session);
        self.ring.get_mut(position).filter(|slot| slot.session == session && slot.waiter.is_some())
    }

    /// Notes who waits.
    #[inline]
    pub fn insert(&mut self, session: Session, waiter: Waiter) {
        if !self.others.is_empty()
            && let Some(known) = self.others.get_mut(&session)
        {
            *known = waiter;
            return;
        }
        let position = self.position(session);
        match self.ring.get_mut(position) {
            Some(slot) if slot.waiter.is_none() || slot.session == session => {
                self.used += usize::from(slot.waiter.is_none());
                *slot = Slot { session, waiter: Some(waiter) };
            }
            _ => self.insert_crowded(session, waiter),
        }
    }

    /// As `insert`, of a session whose slot is taken.
    #[cold]
    fn insert_crowded(&mut self, session: Session, waiter: Waiter) {
        // A ring that is half empty is long enough: an old session is in the way.
        if self.ring.len() >= LARGEST_RING || self.used * 2 < self.ring.len() {
            self.others.insert(session, waiter);
            return;
        }
        let length = (self.ring.len() * 2).max(FIRST_RING);
        let ring = std::mem::replace(&mut self.ring, vec![Slot::default(); length]);
        // Those that had slots of their own have them in a longer ring as well.
        for slot in ring.into_iter().filter(|slot| slot.waiter.is_some()) {
            let position = self.position(slot.session);
            self.ring[position] = slot;
        }
        self.insert(session, waiter);
    }

    /// Takes out who waits.
    #[inline]
    pub fn remove(&mut self, session: Session) -> Option<Waiter> {
        if let Some(slot) = self.slot(session) {
            let waiter = slot.waiter.take();
            self.used -= 1;
            return waiter;
        }
        if self.others.is_empty() { None } else { self.others.remove(&session) }
    }

    /// Who waits.
    #[inline]
    pub fn get(&self, session: Session) -> Option<Waiter> {
        match self.ring.get(self.position(session)) {
            Some(slot) if slot.session == session && slot.waiter.is_some() => slot.waiter,
            _ if self.others.is_empty() => None,
            _ => self.others.get(&session).copied(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Session, Waiter)> {
        let ring = self.ring.iter().filter_map(|slot| Some((slot.session, slot.waiter?)));
        ring.chain(self.others.iter().map(|(session, waiter)| (*session, *waiter)))
    }

    /// Every session with a thread that waits for it.
    pub fn threads(&self) -> impl Iterator<Item = (Session, ThreadId)> {
        self.iter().filter_map(|(session, waiter)| match waiter {
            Waiter::Thread(id) => Some((session, id)),
            Waiter::Function(_) | Waiter::Swallow => None,
        })
    }

    /// Number of sessions somebody waits for.
    pub fn waiting(&self) -> usize {
        self.iter().filter(|(_, waiter)| *waiter != Waiter::Swallow).count()
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

/// Calls that went to a global name, whose service may be unknown.
#[derive(Debug, Default)]
pub struct CallsByName {
    calls: Vec<(Session, Box<[u8]>)>,
    /// How many there may be before those that are over are looked for.
    room: usize,
}

impl CallsByName {
    /// Keeps the name of a call.
    pub fn note(&mut self, session: Session, name: Box<[u8]>, pending: impl Fn(Session) -> bool) {
        if self.calls.len() >= self.room {
            self.calls.retain(|(session, _)| pending(*session));
            self.room = 2 * self.calls.len() + 16;
        }
        self.calls.push((session, name));
    }

    /// Forgets the calls to `name` and gives those that are pending, in order.
    pub fn take(&mut self, name: &[u8], pending: impl Fn(Session) -> bool) -> Vec<Session> {
        let mut found = Vec::new();
        self.calls.retain(|(session, other)| {
            let is_meant = **other == *name;
            if is_meant && pending(*session) {
                found.push(*session);
            }
            !is_meant
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Numbers without order, the same in every run.
    fn scattered(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(*state >> 33).unwrap()
    }

    #[test]
    fn calls_to_a_name_are_found_once_and_only_while_they_wait() {
        let mut calls = CallsByName::default();
        for number in 1..=40 {
            // Those before the tenth are over.
            calls.note(Session(number), Box::from(*b"NAME"), |session| session.0 >= 10);
        }
        calls.note(Session(41), Box::from(*b"OTHER"), |_| true);
        assert!(calls.calls.len() < 41);
        let found = calls.take(b"NAME", |session| session.0 >= 10);
        assert_eq!(found, (10..=40).map(Session).collect::<Vec<_>>());
        assert!(calls.take(b"NAME", |_| true).is_empty());
        assert_eq!(calls.take(b"OTHER", |_| true), [Session(41)]);
    }

    #[test]
    fn sessions_are_found_until_they_are_answered_also_when_old_ones_stand_in_the_way() {
        for most in [1, 3, 100, 3 * LARGEST_RING] {
            let mut sessions = Sessions::default();
            let mut model = BTreeMap::new();
            let mut state = most as u64;
            for round in 0..20_000 {
                if model.len() < most && !scattered(&mut state).is_multiple_of(4) {
                    let session = sessions.allocate();
                    assert_eq!(sessions.get(session), None);
                    sessions.insert(session, Waiter::Function(round));
                    assert_eq!(model.insert(session, Waiter::Function(round)), None);
                } else if !model.is_empty() {
                    let which = scattered(&mut state) % model.len();
                    let session = *model.keys().nth(which).unwrap();
                    if scattered(&mut state).is_multiple_of(8) {
                        sessions.insert(session, Waiter::Swallow);
                        model.insert(session, Waiter::Swallow);
                    } else {
                        assert_eq!(sessions.remove(session), model.remove(&session));
                        assert_eq!(sessions.remove(session), None);
                    }
                }
                assert!(sessions.ring.len() <= LARGEST_RING);
            }
            assert_eq!(sessions.iter().collect::<BTreeMap<_, _>>(), model);
            let awake = model.values().filter(|waiter| **waiter != Waiter::Swallow).count();
            assert_eq!(sessions.waiting(), awake);
        }
    }

    #[test]
    fn a_number_that_was_never_given_out_belongs_to_nobody() {
        let mut sessions = Sessions::default();
        for number in [0, -1, 7, i32::MIN] {
            assert_eq!(sessions.remove(Session(number)), None);
        }
        let session = sessions.allocate();
        sessions.insert(session, Waiter::Swallow);
        for number in [0, -1, 5, i32::MIN] {
            assert_eq!(sessions.get(Session(number)), None);
            assert_eq!(sessions.remove(Session(number)), None);
        }
    }

    #[test]
    fn numbers_start_again_after_the_last_and_pass_over_those_in_use() {
        let mut sessions = Sessions { last: i32::MAX - 1, ..Sessions::default() };
        sessions.insert(Session(1), Waiter::Swallow);
        assert_eq!(sessions.allocate(), Session(i32::MAX));
        assert_eq!(sessions.allocate(), Session(2));
    }

    #[test]
    fn one_session_that_stays_open_does_not_make_the_ring_grow() {
        let mut sessions = Sessions::default();
        let old = sessions.allocate();
        sessions.insert(old, Waiter::Function(1));
        for _ in 0..10_000 {
            let session = sessions.allocate();
            sessions.insert(session, Waiter::Swallow);
            sessions.remove(session);
        }
        assert_eq!(sessions.get(old), Some(Waiter::Function(1)));
        assert!(sessions.ring.len() <= 2 * FIRST_RING, "{} slots", sessions.ring.len());
    }
}
